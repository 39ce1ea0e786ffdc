import HubClient

/// A content's or tree's name as the cache's files hold it: a kind and up to 32 bytes.
struct DigestBytes {
    static let gitKind: UInt64 = 1
    static let lfsKind: UInt64 = 2

    let kind: UInt64
    /// 32 bytes; shorter digests are followed by zeros.
    let padded: [UInt8]

    init(_ content: ContentID) {
        switch content {
        case .git(let oid): (kind, padded) = (Self.gitKind, Self.padded(oid))
        case .lfs(let oid): (kind, padded) = (Self.lfsKind, Self.padded(oid))
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
