/// What all repositories share: readers and caches of immutable objects.
///
/// Trees and blobs are kept by oid alone, since they are reached only through a commit, and commits
/// by repository and oid, so that knowing an oid gives no way into another repository.
final class GitEngine: Sendable {
    struct CommitKey: Hashable {
        let repository: String
        let oid: String
    }

    /// What a listing says of a blob.
    struct BlobInfo: Sendable {
        let size: Int
        let pointer: LFSPointer?
    }

    let readers = ReaderPool()
    let commits = BoundedCache<CommitKey, CommitRecord>(costMax: 20_000)
    /// Costs are entries; about 100 bytes each.
    let trees = BoundedCache<String, GitTree>(costMax: 500_000)
    let blobs = BoundedCache<String, BlobInfo>(costMax: 500_000)
    /// Costs are bytes.
    let contents = BoundedCache<String, [UInt8]>(costMax: 64 << 20)
    let treeSizes = BoundedCache<String, Int>(costMax: 1_000)
    let lastCommits = BoundedCache<CommitPath, CommitRecord>(costMax: 50_000)
}

/// A path at a commit of a repository.
struct CommitPath: Hashable, Sendable {
    let repository: String
    let commit: String
    let path: ExactText
}
