package import HubClient

/// A file of the Hub whose bytes an edited file still shows.
///
/// Names the commit as well as the content, so that a base that moves on, a cleared cache or a
/// squashed history never takes the bytes under an edit away while the Hub still has them.
///
/// A value in everything but its storage: many hold the same one, and most files have none.
package final class BaseFile: Hashable, Sendable {
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

    package static func == (left: BaseFile, right: BaseFile) -> Bool {
        left === right
            || (left.commit, left.path, left.content, left.size)
                == (right.commit, right.path, right.content, right.size)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(commit)
        hasher.combine(path)
        hasher.combine(content)
    }
}
