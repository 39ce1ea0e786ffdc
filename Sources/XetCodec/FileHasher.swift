/// Cuts a file into chunks and hashes them and it, in one pass over its bytes.
package struct FileHasher: Sendable {
    /// The chunks so far that have an end, in their order.
    package private(set) var chunks: [MerkleNode] = []
    private var chunker = Chunker()
    /// Bytes of the chunk that has begun, when it does not lie in one buffer.
    private var begun: [UInt8] = []

    package init() {}

    /// Takes the next bytes of the file.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            let end = chunker.findEnd(in: rest)
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(end ?? rest.count))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
            if end == nil || !begun.isEmpty { begun += part }
            guard end != nil else { return }
            if begun.isEmpty { append(part) } else { appendBegun() }
        }
    }

    /// Ends the file.
    ///
    /// - Returns: its hash.
    package mutating func finish() -> XetHash {
        if !begun.isEmpty { appendBegun() }
        return chunks.isEmpty ? .zero : XetHash(ofFileWithRoot: MerkleTree.root(chunks))
    }

    private mutating func append(_ chunk: UnsafeRawBufferPointer) {
        chunks.append(MerkleNode(XetHash(ofChunk: chunk), byteCount: UInt64(chunk.count)))
    }

    private mutating func appendBegun() {
        let chunk = begun
        begun.removeAll(keepingCapacity: true)
        chunk.withUnsafeBytes { append($0) }
    }
}
