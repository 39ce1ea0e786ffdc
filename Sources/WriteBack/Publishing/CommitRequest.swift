package import HubClient

/// One commit as it is asked for.
package struct CommitRequest: Sendable {
    /// First line; nil lets hubfs say what changed.
    package var title: String?
    package var description = ""
    /// Leaves files alone that programs can still write to: they are in the next commit.
    package var leavesOpenFiles = false

    package init() {}
}

/// How a commit ended.
package struct CommitReport: Sendable {
    /// What the branch has now; the base's if there was nothing to commit.
    package let commit: CommitOID
    /// Paths that were committed, 0 if there was nothing to commit.
    package let changeCount: Int
    /// What stays in the workspace, and why.
    package let localOnly: [LocalOnly]
}

/// How far a commit is, for progress on a terminal.
package struct CommitProgress: Hashable, Sendable {
    package enum Step: String, Hashable, Sendable {
        case idle
        case sealing
        case hashing
        case uploading
        case committing
        case verifying
    }

    package var step = Step.idle
    /// Bytes of this step that are done, and all of them.
    package var doneBytes: UInt64 = 0
    package var totalBytes: UInt64 = 0

    package init() {}
}
