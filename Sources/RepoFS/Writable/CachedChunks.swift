package import RepoCache
package import WriteBack
package import XetCodec

/// What the cache knows of chunks, as a commit asks for it.
package struct CachedChunks: ChunkMemory {
    private let cache: RepoCache

    package init(_ cache: RepoCache) { self.cache = cache }

    package func places(of chunks: Set<XetHash>, in store: String) -> [XetHash: ChunkPlace] {
        cache.places(of: chunks, in: store).mapValues { place in
            ChunkPlace(xorb: place.xorb, number: UInt32(place.number))
        }
    }

    package func remember(_ xorb: XetHash, _ chunks: [MerkleNode], in store: String) {
        cache.remember(xorb, chunks, in: store)
    }

    package func forget(_ xorbs: Set<XetHash>, in store: String) {
        cache.forget(xorbs, in: store)
    }
}
