/// How a content of a given size divides into blocks. The last one may be short.
package struct BlockGeometry: Hashable, Sendable {
    /// Bytes of a block: the unit of presence, of checksums and of fetching.
    package static let blockBytes: UInt64 = 65536

    /// Bytes of the content.
    package let size: UInt64

    package init(size: UInt64) { self.size = size }

    package var blockCount: Int { Int((size + Self.blockBytes - 1) / Self.blockBytes) }

    /// All blocks of the content.
    package var all: Range<Int> { 0..<blockCount }

    /// The bytes of one block.
    package func bytes(ofBlock block: Int) -> Range<UInt64> { bytes(ofBlocks: block..<block + 1) }

    /// The bytes of adjoining blocks.
    package func bytes(ofBlocks blocks: Range<Int>) -> Range<UInt64> {
        let start = UInt64(blocks.lowerBound) * Self.blockBytes
        return start..<min(UInt64(blocks.upperBound) * Self.blockBytes, size)
    }

    /// The part of `[offset, offset + count)` inside of the content; empty beyond its end.
    package func clamped(offset: UInt64, count: Int) -> Range<UInt64> {
        guard offset < size else { return size..<size }
        return offset..<offset + min(UInt64(max(count, 0)), size - offset)
    }

    /// The blocks that a range of bytes touches.
    package func blocks(touching bytes: Range<UInt64>) -> Range<Int> {
        guard !bytes.isEmpty else { return 0..<0 }
        let first = Int(bytes.lowerBound / Self.blockBytes)
        return first..<Int((bytes.upperBound - 1) / Self.blockBytes) + 1
    }
}
