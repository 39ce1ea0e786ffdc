import Testing

@testable import RepoCache

@Suite struct BlockTests {
    @Test(arguments: [0, 1, 65535, 65536, 65537, 3 * 65536 - 1, 3 * 65536] as [UInt64])
    func blocksCoverAContentExactly(size: UInt64) {
        let geometry = BlockGeometry(size: size)
        var next: UInt64 = 0
        for block in geometry.all {
            let bytes = geometry.bytes(ofBlock: block)
            #expect(bytes.lowerBound == next)
            #expect(!bytes.isEmpty)
            next = bytes.upperBound
        }
        #expect(next == size)
    }

    @Test func aSmallContentIsOneBlockAndALargeOneHasBlocksOf32KiB() {
        #expect(BlockGeometry(size: 65536).blockCount == 1)
        #expect(BlockGeometry(size: 65537).blockCount == 3)
        #expect(BlockGeometry(size: 65537).bytes(ofBlock: 1) == 32768..<65536)
    }

    @Test func everyRangeTouchesTheBlocksItsBytesAreIn() {
        let size: UInt64 = 131_075
        let geometry = BlockGeometry(size: size)
        let edges: [UInt64] = [
            0, 1, 32767, 32768, 65535, 65536, 65537, 131_071, 131_072, 131_074, 131_075,
        ]
        for start in edges {
            for count in [0, 1, 2, 65535, 65536, 65537, 200_000] {
                let range = geometry.clamped(offset: start, count: count)
                #expect(range.upperBound <= size && range.count <= count)
                let blocks = geometry.blocks(touching: range)
                let touched = geometry.all.filter { geometry.bytes(ofBlock: $0).overlaps(range) }
                #expect(Array(blocks) == touched, "\(start) \(count)")
            }
        }
    }

    @Test func anyPiecesMakeTheSameBlocks() {
        let bytes = sampleBytes(3 * 65536 + 100)
        let geometry = BlockGeometry(size: UInt64(bytes.count))
        for pieceBytes in [1000, 16_384, 32768, 65535, 65536, 65537, 131_072, 200_000, 500_000] {
            for first in 0..<6 {
                let start = first * 32768
                var assembler = BlockAssembler(geometry: geometry, start: UInt64(start))
                var found: [Int: [UInt8]] = [:]
                bytes[start...].withUnsafeBytes { all in
                    for offset in stride(from: 0, to: all.count, by: pieceBytes) {
                        let piece = all[offset..<min(offset + pieceBytes, all.count)]
                        assembler.append(UnsafeRawBufferPointer(rebasing: piece)) {
                            for block in $0 {
                                let part = geometry.cut($1, of: $0, to: block..<block + 1)
                                #expect(found.updateValue(Array(part), forKey: block) == nil)
                            }
                        }
                    }
                }
                #expect(found.count == 7 - first)
                for (block, content) in found {
                    let range = geometry.bytes(ofBlock: block)
                    #expect(content == Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
                }
            }
        }
    }

    @Test func runsAreTheLongestPartsThatAreIncluded() {
        #expect((3..<9).runs { _ in true } == [3..<9])
        #expect((3..<9).runs { _ in false } == [])
        #expect((0..<9).runs { [0, 2, 3, 7, 8].contains($0) } == [0..<1, 2..<4, 7..<9])
    }

    @Test func whatWasUsedLeastRecentlyGoesFirst() {
        var recent = RecentlyUsed<Int, Int>(byteCountMax: 3)
        for key in 1...3 { recent.insert(key * 10, byteCount: 1, for: key) }
        #expect(recent.value(of: 1) == 10)
        recent.insert(40, byteCount: 1, for: 4)
        #expect(recent.value(of: 2) == nil)
        #expect(recent.value(of: 1) == 10)
        recent.insert(50, byteCount: 4, for: 5)
        #expect(recent.value(of: 5) == nil)
        recent.insert(60, byteCount: 3, for: 6)
        #expect(recent.count == 1 && recent.byteCount == 3)
        for _ in 0..<1000 { #expect(recent.value(of: 6) == 60) }
        recent.remove(6)
        #expect(recent.count == 0 && recent.byteCount == 0)
    }
}
