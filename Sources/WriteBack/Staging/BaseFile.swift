package import HubClient

/// A file of the Hub whose bytes an edited file still shows.
///
/// Names the commit as well as the content, so that a base that moves on, a cleared cache or a
/// squashed history never takes the bytes under an edit away while the Hub still has them.
package struct BaseFile: Hashable, Sendable {
    package let commit: CommitOID
    /// Path from the mounted directory, at that commit.
    package let path: String
    package let content: ContentID
    /// Bytes.
    package let size: UInt64

    package init(commit: CommitOID, path: String, content: ContentID, size: UInt64) {
        self.commit = commit
        self.path = path
        self.content = content
        self.size = size
    }
}
