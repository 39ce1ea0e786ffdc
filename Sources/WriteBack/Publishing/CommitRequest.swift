package import HubClient

/// One commit as it is asked for.
package struct CommitRequest: Sendable {
    /// First line; nil lets hubfs say what changed.
    package var title: String?
    package var description = ""
    /// Leaves files alone that programs can still write to: they are in the next commit.
    package var leavesOpenFiles = false
    /// The commit opens a pull request, and the workspace follows that from then on.
    package var opensPullRequest = false
    /// Files and folders, from the mounted directory: only these, and what goes with them; none for
    /// everything.
    package var paths: [String] = []
    /// Where to commit from now on; nil: where commits went before.
    package var branch: String?
    /// Makes that branch when there is none.
    package var createsBranch = false
    /// What to do when others changed the same paths.
    package var onConflict = ConflictPolicy.fail

    package init() {}
}

/// What becomes of a commit when others changed the same paths. In every case nothing of either side
/// is lost.
package enum ConflictPolicy: String, Hashable, Sendable, CaseIterable {
    /// Nothing is sent; the edits stay.
    case fail
    /// The edits go to a new pull request, which the workspace follows from then on.
    case pr
    /// The edits go to a new branch, which the workspace follows from then on.
    case branch
    /// Ours replaces theirs, which stays in the history.
    case ours
    /// Theirs shows; ours is set aside, as `Committer.resolve` does.
    case theirs
}

/// How a commit ended.
package struct CommitReport: Sendable {
    /// What the branch has now; the base's if there was nothing to commit.
    package let commit: CommitOID
    /// Paths that were committed, 0 if there was nothing to commit.
    package let changeCount: Int
    /// What stays in the workspace, and why.
    package let localOnly: [LocalOnly]
    /// The ref that has the commit: the branch, or what the workspace follows instead.
    package let ref: String
    /// More of the same commit follows.
    let isPart: Bool

    init(
        commit: CommitOID, changeCount: Int, localOnly: [LocalOnly], ref: String,
        isPart: Bool = false
    ) {
        self.commit = commit
        self.changeCount = changeCount
        self.localOnly = localOnly
        self.ref = ref
        self.isPart = isPart
    }

    /// The report of a series that ends with this one.
    func counting(_ changeCount: Int) -> CommitReport {
        CommitReport(commit: commit, changeCount: changeCount, localOnly: localOnly, ref: ref)
    }
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
