/// The identity of a file's bytes, independent of path, revision and repo.
///
/// Cached bytes are keyed by this and nothing else, so equal contents are stored once and a
/// cached content can never be stale.
package enum ContentID: Hashable, Sendable {
    /// A file kept in git itself, named by its blob oid.
    case git(BlobOID)
    /// A file kept in LFS storage, named by the sha256 of its bytes.
    case lfs(LFSOID)

    /// The digest in hexadecimal, without its kind: 40 or 64 characters, so kinds never collide.
    package var hex: String {
        switch self {
        case .git(let oid): oid.hex
        case .lfs(let oid): oid.hex
        }
    }
}
