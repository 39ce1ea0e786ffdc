/// Cuts a stream of bytes into whole blocks, keeping at most one unfinished block.
struct BlockAssembler {
    private let geometry: BlockGeometry
    /// Offset of the next byte to come.
    private(set) var position: UInt64
    private var partial: [UInt8] = []

    /// - Parameter start: Where the stream starts: the start of a block.
    init(geometry: BlockGeometry, start: UInt64) {
        precondition(start % BlockGeometry.blockBytes == 0, "a fetch starts with a block")
        self.geometry = geometry
        position = start
    }

    /// Takes the next bytes and hands on each block they complete.
    ///
    /// - Parameter store: Called with a block's index and bytes, which are valid during the call.
    mutating func append(
        _ bytes: UnsafeRawBufferPointer, store: (Int, UnsafeRawBufferPointer) -> Void
    ) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let block = Int(position / BlockGeometry.blockBytes)
            let blockBytes = geometry.bytes(ofBlock: block).count
            let taken = rest.prefix(blockBytes - partial.count)
            rest = rest.dropFirst(taken.count)
            position += UInt64(taken.count)
            if taken.count == blockBytes {
                store(block, UnsafeRawBufferPointer(rebasing: taken))
                continue
            }
            if partial.isEmpty { partial.reserveCapacity(blockBytes) }
            partial.append(contentsOf: taken)
            guard partial.count == blockBytes else { continue }
            partial.withUnsafeBytes { store(block, $0) }
            partial.removeAll(keepingCapacity: true)
        }
    }
}
