package import HubClient

/// A directory of a commit with its listing.
package struct ListedDirectory: Sendable {
    package let repo: RepoID
    package let commit: CommitOID
    /// From the root of the repo, "" for the root itself.
    package let path: String
    package let listing: DirectoryListing

    package init(repo: RepoID, commit: CommitOID, path: String, listing: DirectoryListing) {
        self.repo = repo
        self.commit = commit
        self.path = path
        self.listing = listing
    }

    /// The content of an entry, nil for a directory.
    package func content(at index: Int) -> ContentID? {
        guard case .file(let content, _) = listing.kind(at: index) else { return nil }
        return content
    }

    /// Where the bytes of an entry are, nil for a directory.
    package func file(at index: Int) -> ContentLocation? {
        guard case .file(let content, let size) = listing.kind(at: index) else { return nil }
        return ContentLocation(
            repo: repo, commit: commit, path: path(of: listing.name(at: index)), content: content,
            size: size)
    }

    /// The path of an entry, from the root of the repo.
    package func path(of name: String) -> String { path.isEmpty ? name : path + "/" + name }
}
