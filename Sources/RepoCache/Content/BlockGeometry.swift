/// How a content of a given size divides into blocks. The last one may be short.
package struct BlockGeometry: Hashable, Sendable {
    /// Contents up to this size are one block: more requests would cost more than the bytes.
    package static let singleBlockBytesMax: UInt64 = 65536
    /// Bytes of a block of a larger content.
    static let largeContentBlockBytes: UInt64 = 32768

    /// Bytes of the content.
    package let size: UInt64
    /// Bytes of a block: the unit of presence, of checksums and of fetching.
    package let blockBytes: UInt64

    package init(size: UInt64) {
        self.size = size
        blockBytes =
            size <= Self.singleBlockBytesMax
            ? Self.singleBlockBytesMax : Self.largeContentBlockBytes
    }

    package var blockCount: Int { Int((size + blockBytes - 1) / blockBytes) }

    /// All blocks of the content.
    package var all: Range<Int> { 0..<blockCount }

    /// The bytes of one block.
    package func bytes(ofBlock block: Int) -> Range<UInt64> { bytes(ofBlocks: block..<block + 1) }

    /// The bytes of adjoining blocks.
    package func bytes(ofBlocks blocks: Range<Int>) -> Range<UInt64> {
        let start = UInt64(blocks.lowerBound) * blockBytes
        return start..<min(UInt64(blocks.upperBound) * blockBytes, size)
    }

    /// Of the bytes of adjoining blocks, those of some.
    func cut(
        _ bytes: UnsafeRawBufferPointer, of blocks: Range<Int>, to some: Range<Int>
    ) -> UnsafeRawBufferPointer {
        let start = UInt64(blocks.lowerBound) * blockBytes
        let range = self.bytes(ofBlocks: some)
        return UnsafeRawBufferPointer(
            rebasing: bytes[Int(range.lowerBound - start)..<Int(range.upperBound - start)])
    }

    /// The part of `[offset, offset + count)` inside of the content; empty beyond its end.
    package func clamped(offset: UInt64, count: Int) -> Range<UInt64> {
        guard offset < size else { return size..<size }
        return offset..<offset + min(UInt64(max(count, 0)), size - offset)
    }

    /// The blocks that a range of bytes touches.
    package func blocks(touching bytes: Range<UInt64>) -> Range<Int> {
        guard !bytes.isEmpty else { return 0..<0 }
        let first = Int(bytes.lowerBound / blockBytes)
        return first..<Int((bytes.upperBound - 1) / blockBytes) + 1
    }
}

extension Range<Int> {
    /// The longest parts of the range all of whose numbers are `included`, ascending.
    func runs(_ included: (Int) -> Bool) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        for number in self where included(number) {
            if let last = runs.last, last.upperBound == number {
                runs[runs.count - 1] = last.lowerBound..<number + 1
            } else {
                runs.append(number..<number + 1)
            }
        }
        return runs
    }
}
