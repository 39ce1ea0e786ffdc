import Testing
import XetCodec

@Suite struct ChunkPartsTests {
    /// However many parts there are and wherever they begin, also where no end of theirs is one of the file's.
    @Test(arguments: [1, 2, 3, 7, 40])
    func partsAreTheWhole(count: Int) {
        for bytes in Self.samples {
            let expected = Self.chunks(bytes[...], isLast: true)
            for shift in [0, 1, 4999] {
                var starts = (0..<count).map { number in
                    number == 0 ? 0 : min(bytes.count / count * number + shift, bytes.count)
                }
                starts.append(bytes.count)
                let parts = (0..<count).map { number in
                    let isLast = number == count - 1
                    return ChunkParts.Part(
                        start: UInt64(starts[number]),
                        chunks: Self.chunks(
                            bytes[starts[number]..<starts[number + 1]], isLast: isLast))
                }
                let found = bytes.withUnsafeBytes { buffer in
                    ChunkParts.joined(parts, size: UInt64(bytes.count)) { offset, count in
                        UnsafeRawBufferPointer(rebasing: buffer[Int(offset)..<Int(offset) + count])
                    }
                }
                #expect(found == expected, "\(count) parts, shifted by \(shift)")
            }
        }
    }

    @Test func anEmptyFileHasNoChunks() {
        let part = ChunkParts.Part(start: 0, chunks: [])
        let found = ChunkParts.joined([part], size: 0) { _, _ in
            UnsafeRawBufferPointer(start: nil, count: 0)
        }
        #expect(found.isEmpty)
    }

    /// Noise; zeros, of which no chunk ends by its bytes; both.
    private static let samples: [[UInt8]] = {
        let noise = GeneratedFile(["sm:7", "2000000", "-"]).bytes
        let zeros = [UInt8](repeating: 0, count: 1_500_000)
        return [noise, zeros, noise[..<700_000] + zeros + noise[700_000...], [1]]
    }()

    private static func chunks(_ bytes: ArraySlice<UInt8>, isLast: Bool) -> [MerkleNode] {
        var hasher = FileHasher()
        bytes.withUnsafeBytes { hasher.update($0) }
        if isLast { _ = hasher.finish() }
        return hasher.chunks
    }
}
