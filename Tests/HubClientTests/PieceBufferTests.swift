import Testing

@testable import HubClient

@Suite struct PieceBufferTests {
    private static let whole = UInt64(PieceBuffer.byteCount)

    /// What comes out when bytes from `start` on go in by parts of these lengths.
    private func pieces(
        _ bytes: [UInt8], from start: UInt64, by lengths: [Int]
    ) -> [(start: UInt64, bytes: [UInt8])] {
        let buffer = PieceBuffer()
        var found: [(start: UInt64, bytes: [UInt8])] = []
        var end = start
        let deliver = { (piece: UnsafeRawBufferPointer) in
            found.append((end, Array(piece)))
            end += UInt64(piece.count)
            return true
        }
        var (place, turn) = (0, 0)
        while place < bytes.count {
            let count = min(lengths[turn % lengths.count], bytes.count - place)
            bytes[place..<place + count].withUnsafeBytes {
                #expect(buffer.append($0, at: start + UInt64(place), deliver: deliver))
            }
            (place, turn) = (place + count, turn + 1)
        }
        #expect(buffer.flush(deliver) && buffer.count == 0)
        return found
    }

    @Test(arguments: [[65_536], [8192, 131_072, 70_001], [262_144], [900_001], [1, 300_000]])
    func piecesEndWhereBlocksDo(lengths: [Int]) {
        let bytes = (0..<1_500_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        for start in [0, 1, Self.whole - 1, Self.whole, 5 * Self.whole + 32_768] {
            let found = pieces(bytes, from: start, by: lengths)
            #expect(found.flatMap(\.bytes) == bytes)
            #expect(found.dropFirst().allSatisfy { $0.start % Self.whole == 0 })
            #expect(found.allSatisfy { $0.bytes.count <= PieceBuffer.byteCount })
        }
    }

    @Test func whoWantsNoMoreGetsNoMore() {
        let buffer = PieceBuffer()
        var count = 0
        let goesOn = [UInt8](repeating: 7, count: 3 * PieceBuffer.byteCount).withUnsafeBytes {
            buffer.append($0, at: 5) { _ in
                count += 1
                return false
            }
        }
        #expect(!goesOn && count == 1 && buffer.count == 0)
    }

    @Test func buffersAreUsedAgain() {
        let buffers = PieceBuffers()
        let first = buffers.take()
        buffers.giveBack(first)
        #expect(buffers.take() === first)
    }
}
