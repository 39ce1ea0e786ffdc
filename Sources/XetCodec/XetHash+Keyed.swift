import CXet

/// What the hash of some bytes is for; each use has a key of its own. Source: the Xet specification,
/// hashing.
private enum Key {
    static let chunk: [UInt8] = [
        102, 151, 245, 119, 91, 149, 80, 222, 49, 53, 203, 172, 165, 151, 24, 28,
        157, 228, 33, 16, 155, 235, 43, 88, 180, 208, 176, 75, 147, 173, 242, 41,
    ]
    static let node: [UInt8] = [
        1, 126, 197, 199, 165, 71, 41, 150, 253, 148, 102, 102, 180, 138, 2, 230,
        93, 221, 83, 111, 55, 199, 109, 210, 248, 99, 82, 230, 74, 83, 113, 63,
    ]
    static let range: [UInt8] = [
        127, 24, 87, 214, 206, 86, 237, 102, 18, 127, 249, 19, 231, 165, 195, 243,
        164, 205, 38, 213, 181, 219, 73, 230, 65, 36, 152, 127, 40, 251, 148, 195,
    ]
    static let file = [UInt8](repeating: 0, count: 32)
}

extension XetHash {
    /// The hash of a chunk by its bytes, unpacked.
    package init(ofChunk bytes: UnsafeRawBufferPointer) { self.init(of: bytes, key: Key.chunk) }

    /// The hash of a file whose chunks have this root (`MerkleTree.root`). An empty file has `zero`.
    package init(ofFileWithRoot root: XetHash) { self.init(of: root.bytes, key: Key.file) }

    /// What proves that chunks stand in a file one after the other.
    package init(ofRange chunks: some Sequence<XetHash>) {
        self.init(of: chunks.flatMap(\.bytes), key: Key.range)
    }

    /// The hash of a node of a Merkle tree by its text: see `MerkleTree`.
    init(ofNode text: [UInt8]) { self.init(of: text, key: Key.node) }

    /// How an answer to a deduplication query names this chunk.
    ///
    /// - Parameter key: The answer's; all zero says that chunks go by their own names there.
    package func keyed(_ key: XetHash) -> XetHash {
        key == .zero ? self : XetHash(of: bytes, key: key.bytes)
    }

    private init(of bytes: [UInt8], key: [UInt8]) {
        self = bytes.withUnsafeBytes { XetHash(of: $0, key: key) }
    }

    private init(of bytes: UnsafeRawBufferPointer, key: [UInt8]) {
        self = withUnsafeTemporaryAllocation(byteCount: Self.byteCount, alignment: 8) { hash in
            hubfs_blake3_keyed(
                key, bytes.baseAddress, bytes.count,
                hash.baseAddress!.assumingMemoryBound(to: UInt8.self))
            return XetHash(bytes: UnsafeRawBufferPointer(hash))
        }
    }
}
