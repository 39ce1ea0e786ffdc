/// One row of a repo's tree as the Hub lists it.
///
/// Source: `GET /api/{kind}/{id}/tree/{rev}[/{path}]`.
package struct TreeEntry: Hashable, Sendable {
    /// What the path names.
    package enum Kind: Hashable, Sendable {
        /// A directory, identified by its git tree.
        case directory(TreeOID)
        /// A file: whose bytes, and how many.
        case file(ContentID, size: UInt64)
    }

    /// Path from the root of the repo, without leading or trailing slash.
    package let path: String
    package let kind: Kind
    /// When a file was changed, in nanoseconds since 1970; nil where that is not listed: git has no dates.
    package let modifiedNanoseconds: Int64?

    package init(path: String, kind: Kind, modifiedNanoseconds: Int64? = nil) {
        self.path = path
        self.kind = kind
        self.modifiedNanoseconds = modifiedNanoseconds
    }
}

/// Where the bytes of a content can be asked for: any path that holds it at a pinned commit.
package struct ContentLocation: Hashable, Sendable {
    package let repo: RepoID
    package let commit: CommitOID
    /// Path from the root of the repo.
    package let path: String
    package let content: ContentID
    /// Size in bytes, from the tree listing.
    package let size: UInt64

    package init(
        repo: RepoID, commit: CommitOID, path: String, content: ContentID, size: UInt64
    ) {
        self.repo = repo
        self.commit = commit
        self.path = path
        self.content = content
        self.size = size
    }
}
