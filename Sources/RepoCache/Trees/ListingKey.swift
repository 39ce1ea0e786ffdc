import HubClient

/// What a stored directory listing is found by.
enum ListingKey: Hashable, Sendable {
    /// The directory's git tree: the same in every commit and repo that has it.
    case tree(TreeOID)
    /// A directory of a commit whose tree oid the caller does not know: the root, or where a
    /// mount of a sub-path starts. The path is bytes, as in git: strings that look alike are equal.
    case path(CommitOID, [UInt8])

    init(commit: CommitOID, path: String, treeOID: TreeOID?) {
        self = treeOID.map { .tree($0) } ?? .path(commit, Array(path.utf8))
    }

    /// The key as the database has it.
    var text: String {
        switch self {
        case .tree(let oid): "tree \(oid.hex)"
        case .path(let commit, let path):
            "commit \(commit.hex) \(String(decoding: path, as: UTF8.self))"
        }
    }
}
