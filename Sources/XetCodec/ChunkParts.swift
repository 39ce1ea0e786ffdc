/// Puts the chunks of a file together of which several parts were cut at once.
///
/// Where a chunk ends depends on the bytes behind the end before it, and on nothing else. So the chunks
/// that were cut from any place on are those of the file, from the first end on that both have: as a rule
/// some chunks behind the place, and never if the ends do not come together.
package struct ChunkParts {
    /// Chunks that were cut from a place of the file on.
    package struct Part: Sendable {
        /// Bytes of the file before it.
        package let start: UInt64
        /// Those that have an end; in the last part of the file also what is left behind it.
        package let chunks: [MerkleNode]

        package init(start: UInt64, chunks: [MerkleNode]) {
            self.start = start
            self.chunks = chunks
        }
    }

    /// Where parts should begin: then files of zeros come together at once.
    package static let alignment = UInt64(Chunker.byteCountMax)
    private static let pieceBytes: UInt64 = 256 << 10

    private var chunks: [MerkleNode] = []
    /// Bytes that they have.
    private var end: UInt64 = 0

    /// - Parameters:
    ///   - parts: In their order, the first from the file's first byte on.
    ///   - size: Bytes of the file.
    ///   - read: Gives some bytes of it, which are good until the next reading.
    /// - Returns: the chunks of the file.
    package static func joined<Failure: Error>(
        _ parts: [Part], size: UInt64,
        _ read: (_ offset: UInt64, _ count: Int) throws(Failure) -> UnsafeRawBufferPointer
    ) throws(Failure) -> [MerkleNode] {
        var file = ChunkParts()
        for part in parts { try file.append(part, size, read) }
        return file.chunks
    }

    private mutating func append<Failure: Error>(
        _ part: Part, _ size: UInt64,
        _ read: (_ offset: UInt64, _ count: Int) throws(Failure) -> UnsafeRawBufferPointer
    ) throws(Failure) {
        var hasher = FileHasher()
        var offset = end
        var takenCount = 0
        // The part's first chunk that does not begin before our end, and where it begins.
        var (index, start) = (0, part.start)
        while true {
            while start < end, index < part.chunks.count {
                start += part.chunks[index].byteCount
                index += 1
            }
            if start == end { return append(part.chunks[index...]) }
            // All of it was cut otherwise.
            if start < end { return }
            if takenCount < hasher.chunks.count {
                append(hasher.chunks[takenCount...takenCount])
                takenCount += 1
            } else if offset < size {
                let count = min(Self.pieceBytes, size - offset)
                hasher.update(try read(offset, Int(count)))
                offset += count
            } else {
                _ = hasher.finish()
            }
        }
    }

    private mutating func append(_ more: ArraySlice<MerkleNode>) {
        chunks += more
        for chunk in more { end += chunk.byteCount }
    }
}
