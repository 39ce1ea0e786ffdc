import XetCodec

/// Which chunks of a file have to be cut anew when some of its bytes change.
///
/// Source: the Xet specification, stable boundaries.
enum DirtyWindows {
    /// Bytes of a chunk that ends where it ends whatever comes before it, if the next one is such a
    /// chunk too.
    private static let stableSizes = 16_384..<UInt64(122_880)
    /// So many of them, one after the other, end a window.
    private static let stableCount = 2

    /// - Parameters:
    ///   - chunks: of the whole file.
    ///   - ranges: bytes that change, each beginning within the file.
    /// - Returns: chunks by their index, in order; between two windows there is a chunk at least.
    static func windows(of chunks: [MerkleNode], changing ranges: [ByteRange]) -> [Range<Int>] {
        let dirty = dirtyChunks(chunks, ranges)
        var windows: [Range<Int>] = []
        var index = 0
        while index < chunks.count {
            guard dirty[index] else {
                index += 1
                continue
            }
            let start = index
            var stable = 0
            while index < chunks.count, stable < stableCount {
                let isStable = !dirty[index] && stableSizes.contains(chunks[index].byteCount)
                stable = isStable ? stable + 1 : 0
                index += 1
            }
            if let last = windows.last, last.upperBound == start {
                windows[windows.count - 1] = last.lowerBound..<index
            } else {
                windows.append(start..<index)
            }
        }
        return windows
    }

    /// Of each chunk, whether one of the ranges touches it.
    private static func dirtyChunks(_ chunks: [MerkleNode], _ ranges: [ByteRange]) -> [Bool] {
        var position = 0
        return chunks.map { chunk in
            let (start, end) = (position, position + Int(chunk.byteCount))
            position = end
            return ranges.contains { $0.first < end && start <= $0.last }
        }
    }
}
