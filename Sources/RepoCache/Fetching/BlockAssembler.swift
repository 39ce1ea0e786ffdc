/// Cuts a stream of bytes into whole blocks, keeping at most one unfinished block.
struct BlockAssembler {
    private let geometry: BlockGeometry
    /// Offset of the next byte to come.
    private(set) var position: UInt64
    private var partial: [UInt8] = []

    /// - Parameter start: Where the stream starts: the start of a block.
    init(geometry: BlockGeometry, start: UInt64) {
        precondition(start % geometry.blockBytes == 0, "a fetch starts with a block")
        self.geometry = geometry
        position = start
    }

    /// Takes the next bytes and hands on the blocks they complete.
    ///
    /// - Parameter store: Called with adjoining blocks and their bytes, which are valid during the call.
    mutating func append(
        _ bytes: UnsafeRawBufferPointer, store: (Range<Int>, UnsafeRawBufferPointer) -> Void
    ) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let first = Int(position / geometry.blockBytes)
            if partial.isEmpty, let end = wholeBlocks(from: first, in: rest.count) {
                let taken = rest.prefix(geometry.bytes(ofBlocks: first..<end).count)
                advance(by: taken.count, of: &rest)
                store(first..<end, UnsafeRawBufferPointer(rebasing: taken))
                continue
            }
            let blockBytes = geometry.bytes(ofBlock: first).count
            if partial.isEmpty { partial.reserveCapacity(blockBytes) }
            let taken = rest.prefix(blockBytes - partial.count)
            partial.append(contentsOf: taken)
            advance(by: taken.count, of: &rest)
            guard partial.count == blockBytes else { continue }
            partial.withUnsafeBytes { store(first..<first + 1, $0) }
            partial.removeAll(keepingCapacity: true)
        }
    }

    /// - Returns: the end of the blocks that `count` bytes from the start of `first` complete; nil when
    ///   they complete none.
    private func wholeBlocks(from first: Int, in count: Int) -> Int? {
        let reached = position + UInt64(count)
        let end =
            reached >= geometry.size ? geometry.blockCount : Int(reached / geometry.blockBytes)
        return end > first ? end : nil
    }

    private mutating func advance(by count: Int, of rest: inout Slice<UnsafeRawBufferPointer>) {
        rest = rest.dropFirst(count)
        position += UInt64(count)
    }
}
