import HubClient

/// A content's or tree's name as the cache's files hold it: a kind and up to 32 bytes.
struct DigestBytes {
    static let gitKind: UInt64 = 1
    static let lfsKind: UInt64 = 2
    static let xetKind: UInt64 = 3

    let kind: UInt64
    /// 32 bytes; shorter digests are followed by zeros.
    let padded: [UInt8]

    init(_ content: ContentID) {
        switch content {
        case .git(let oid): (kind, padded) = (Self.gitKind, Self.padded(oid))
        case .lfs(let oid): (kind, padded) = (Self.lfsKind, Self.padded(oid))
        case .xet(let oid): (kind, padded) = (Self.xetKind, Self.padded(oid))
        }
    }

    /// The content that a kind and the digest at the start of `bytes` name.
    ///
    /// - Returns: nil for a kind that is not known.
    static func content(ofKind kind: UInt64, from bytes: some Collection<UInt8>) -> ContentID? {
        switch kind {
        case gitKind: .git(identity(BlobOID.self, from: bytes))
        case lfsKind: .lfs(identity(LFSOID.self, from: bytes))
        case xetKind: .xet(identity(XetOID.self, from: bytes))
        default: nil
        }
    }

    static func padded(_ identity: some HexIdentity) -> [UInt8] {
        (0..<32).map { identity.words[$0] }
    }

    /// The identity whose digest stands at the start of `bytes`.
    static func identity<Identity: HexIdentity>(
        _ type: Identity.Type, from bytes: some Collection<UInt8>
    ) -> Identity {
        var words = DigestWords()
        for (index, byte) in bytes.prefix(Identity.byteCount).enumerated() { words[index] = byte }
        return Identity(words: words)
    }
}
