/// The identity of a file's bytes, independent of path, revision and repo.
///
/// Cached bytes are keyed by this and nothing else, so equal contents are stored once and a
/// cached content can never be stale.
package enum ContentID: Hashable, Sendable {
    /// A file kept in git itself, named by its blob oid.
    case git(BlobOID)
    /// A file kept in LFS storage, named by the sha256 of its bytes.
    case lfs(LFSOID)
    /// A file kept in a bucket, named by its hash in the content-addressed store.
    case xet(XetOID)

    /// The digest in hexadecimal, 40 or 64 characters, after an `x` for one of a bucket: so kinds never
    /// collide.
    package var hex: String {
        if case .xet = self { "x" + digest } else { digest }
    }

    /// The digest alone, for people.
    package var digest: String {
        switch self {
        case .git(let oid): oid.hex
        case .lfs(let oid): oid.hex
        case .xet(let oid): oid.hex
        }
    }

    /// The content that `hex` stands for.
    ///
    /// - Returns: nil for a text that is none.
    package init?(hex: some StringProtocol) {
        if let oid = BlobOID(hex: hex) {
            self = .git(oid)
        } else if let oid = LFSOID(hex: hex) {
            self = .lfs(oid)
        } else if hex.utf8.first == UInt8(ascii: "x"), let oid = XetOID(hex: hex.dropFirst()) {
            self = .xet(oid)
        } else {
            return nil
        }
    }
}
