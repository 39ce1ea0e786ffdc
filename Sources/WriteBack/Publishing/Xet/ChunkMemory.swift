package import XetCodec

/// Where the content-addressed store has a chunk.
package struct ChunkPlace: Hashable, Sendable {
    package let xorb: XetHash
    /// Number of the chunk in it.
    package let number: UInt32

    package init(xorb: XetHash, number: UInt32) {
        self.xorb = xorb
        self.number = number
    }
}

/// What is known of chunks that a store has: of uploads before, and of files that were read.
///
/// It may be wrong: a store forgets xorbs that no file needs. Whoever relies on it is told by the store.
package protocol ChunkMemory: Sendable {
    /// Where chunks are, as far as it is known.
    ///
    /// - Parameter store: The address of the store.
    func places(of chunks: Set<XetHash>, in store: String) -> [XetHash: ChunkPlace]

    /// Remembers the chunks of a xorb that the store has taken, also beyond the end of this process.
    func remember(_ xorb: XetHash, _ chunks: [MerkleNode], in store: String)

    /// Forgets xorbs that the store does not have.
    func forget(_ xorbs: Set<XetHash>, in store: String)
}
