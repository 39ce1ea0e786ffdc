import Testing
import XetCodec

@Suite struct XorbStreamTests {
    /// The chunks of a xorb that arrives in pieces; whether it ended with a chunk.
    private func chunks(
        _ xorb: [UInt8], pieceBytes: [Int], upTo countMax: Int = .max
    ) throws -> (chunks: [[UInt8]], isWhole: Bool) {
        let room = XorbStream.Room()
        var stream = XorbStream()
        var chunks: [[UInt8]] = []
        var (start, turn) = (0, 0)
        while start < xorb.count {
            let end = min(start + pieceBytes[turn % pieceBytes.count], xorb.count)
            let goesOn = try xorb[start..<end].withUnsafeBytes { piece in
                try stream.append(piece, in: room) { chunk in
                    chunks.append(Array(chunk))
                    return chunks.count < countMax
                }
            }
            if !goesOn { return (chunks, false) }
            (start, turn) = (end, turn + 1)
        }
        return (chunks, stream.isAtEndOfChunk)
    }

    @Test(arguments: [[1], [7], [8], [9, 1, 64], [4096], [16411, 3], [98_572], [60_000]])
    func howTheBytesAreCutMakesNoDifference(pieceBytes: [Int]) throws {
        let files = Samples.uploaded.map { GeneratedFile($0).bytes }
        let (chunks, isWhole) = try chunks(
            Samples.bytes("xorb-upload.bin"), pieceBytes: pieceBytes)
        #expect(chunks.count == 13 && isWhole)
        #expect(chunks.flatMap { $0 } == files.flatMap { $0 })
    }

    @Test func whoHasEnoughGetsNoMore() throws {
        let (chunks, _) = try chunks(
            Samples.bytes("xorb-upload.bin"), pieceBytes: [5000], upTo: 4)
        #expect(chunks.count == 4)
    }

    @Test func anEndInTheMiddleOfAChunkIsSeen() throws {
        let sound = try Samples.bytes("xorb-upload.bin")
        let (chunks, isWhole) = try chunks(Array(sound.dropLast()), pieceBytes: [997])
        #expect(chunks.count == 12 && !isWhole)
    }

    /// As the reader of whole xorbs sees them, whatever was done to them.
    @Test func anyBytesCanArrive() throws {
        let sound = try Samples.bytes("xorb-upload.bin")
        var random = SplitMix(state: 77)
        var errorCount = 0
        for _ in 0..<1500 {
            var bytes = sound
            bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(
                truncatingIfNeeded: random.next())
            bytes[Int(random.next() % 8)] = UInt8(truncatingIfNeeded: random.next())
            let size = Int(random.next() % 30_000) + 1
            do {
                _ = try chunks(bytes, pieceBytes: [size])
            } catch is XetFormatError {
                errorCount += 1
            }
        }
        #expect(errorCount > 500)
    }
}
