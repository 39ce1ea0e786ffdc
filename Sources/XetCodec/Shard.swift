/// What files are made of and which chunks xorbs have: how uploads are registered, and what the Hub answers
/// to a deduplication query. Source: the Xet specification, shard format.
package struct Shard: Hashable, Sendable {
    package var files: [ShardFile] = []
    package var xorbs: [ShardXorb] = []
    /// What chunks are named with (`XetHash.keyed`); zero when they have their own names.
    package var key = XetHash.zero
    /// When the answer is to be forgotten, in seconds since 1970; nil for never.
    package var expirySeconds: UInt64?

    package init(files: [ShardFile] = [], xorbs: [ShardXorb] = []) {
        self.files = files
        self.xorbs = xorbs
    }
}

/// A part of a file: chunks of one xorb, one after the other.
package struct XetTerm: Hashable, Sendable {
    package let xorb: XetHash
    /// Bytes of the chunks, unpacked.
    package let byteCount: UInt32
    /// Not empty.
    package let chunks: Range<UInt32>

    package init(xorb: XetHash, byteCount: UInt32, chunks: Range<UInt32>) {
        self.xorb = xorb
        self.byteCount = byteCount
        self.chunks = chunks
    }
}

/// A file of a shard: its terms in order.
package struct ShardFile: Hashable, Sendable {
    package let hash: XetHash
    package let terms: [XetTerm]
    /// What proves each term, see `XetHash.init(ofRange:)`; empty when the shard has none.
    package let proofs: [XetHash]
    /// The digest of the whole file, 32 bytes; nil for files of buckets, which have none.
    package let sha256: [UInt8]?

    /// - Parameter proofs: One for each term, or none at all.
    package init(hash: XetHash, terms: [XetTerm], proofs: [XetHash], sha256: [UInt8]?) {
        precondition(proofs.isEmpty || proofs.count == terms.count, "each term has a proof")
        precondition(sha256.map { $0.count == 32 } ?? true, "a SHA-256 has 32 bytes")
        self.hash = hash
        self.terms = terms
        self.proofs = proofs
        self.sha256 = sha256
    }
}

/// A xorb of a shard: its chunks in order.
package struct ShardXorb: Hashable, Sendable {
    package let hash: XetHash
    package let chunks: [ShardChunk]
    /// Bytes of all chunks, unpacked.
    package let byteCount: UInt32
    /// Bytes of the xorb itself; 0 when whoever wrote the shard did not tell.
    package let packedByteCount: UInt32

    package init(
        hash: XetHash, chunks: [ShardChunk], byteCount: UInt32, packedByteCount: UInt32 = 0
    ) {
        self.hash = hash
        self.chunks = chunks
        self.byteCount = byteCount
        self.packedByteCount = packedByteCount
    }
}

/// A chunk of a xorb.
package struct ShardChunk: Hashable, Sendable {
    /// Keyed, if the shard has a key.
    package let hash: XetHash
    /// Its place in the unpacked bytes of its xorb.
    package let start: UInt32
    package let byteCount: UInt32
    /// Whether the Hub answers queries for it.
    package let isEligible: Bool

    package init(hash: XetHash, start: UInt32, byteCount: UInt32, isEligible: Bool = false) {
        self.hash = hash
        self.start = start
        self.byteCount = byteCount
        self.isEligible = isEligible
    }
}

/// Numbers of the format that reader and writer share.
enum ShardFormat {
    static let tag: [UInt8] =
        Array("HFRepoMetaData".utf8) + [
            0, 85, 105, 103, 69, 106, 123, 129, 87, 131, 165, 189, 217, 92, 205, 209, 74, 169,
        ]
    static let version: UInt64 = 2
    static let recordBytes = 48
    static let footerBytes = 200
    static let footerVersion: UInt64 = 1
    static let hasProofs: UInt32 = 0x8000_0000
    static let hasDigest: UInt32 = 0x4000_0000
    static let isEligible: UInt32 = 0x8000_0000
    /// Ends a section; no hash is all ones.
    static let end = XetHash(text: String(repeating: "f", count: 64))!

    /// Each eight bytes backwards: a digest is written as if its hex digits were a hash's text.
    static func swapped(_ digest: some Collection<UInt8>) -> [UInt8] {
        let bytes = Array(digest)
        return (0..<bytes.count).map { bytes[$0 & ~7 | 7 - $0 & 7] }
    }
}
