package import HubClient
import Logging
import Platform

extension Committer {
    /// Times a commit is made anew because the branch moved on while it was sent.
    private static let rebaseCountMax = 8

    /// Sends a commit; when others were faster and changed other paths, sends it again on top of
    /// theirs.
    ///
    /// - Parameter all: With what goes in later parts: others must not have changed that either.
    func sendOrRebase(
        _ plan: CommitPlan, _ prepared: Prepared, _ modes: [ExactPath: PreuploadVerdict.Mode],
        _ request: CommitRequest, of all: Prepared
    ) throws(PublishError) -> CommitOID {
        var plan = plan
        for _ in 0..<Self.rebaseCountMax {
            do throws(PublishError) {
                return try send(plan, prepared, modes, description: request.description)
            } catch .stale(let head) {
                let edits = all.edits { content(of: $0, modes[ExactPath($0.path)]) }
                plan = try rebase(plan, on: head, request.onConflict, edits)
                // Somebody did all of it already.
                if plan.isEmpty { return try finish(plan, head) }
            } catch .mismatch(let commit, let paths) {
                try noteMismatch(
                    plan, commit, all.edits { content(of: $0, modes[ExactPath($0.path)]) })
                throw .mismatch(commit: commit, paths: paths)
            }
        }
        throw .conflict([])
    }

    /// Keeps for `resolve` where the Hub has made something else of our commit than was sent.
    private func noteMismatch(
        _ plan: CommitPlan, _ commit: CommitOID, _ edits: [ExactPath: ConflictCheck.Edit]
    ) throws(PublishError) {
        guard let base = plan.baseCommit, try conflictRecord()?.isMoved != true else { return }
        do throws(PublishError) {
            try source.prepare(commit)
            let theirs = try TreeDifference(from: base, to: commit, source: source)
            let check = ConflictCheck(edits, against: theirs)
            try note(
                ConflictRecord(
                    theirs.conflicted(check.conflicts), head: commit, isMoved: false,
                    same: check.redundant.map(\.text)))
        } catch .hub(let error) {
            // The next commit finds the same.
            logger.warning("the commit cannot be looked at more closely: \(error.sentence)")
        }
    }

    private func rebase(
        _ plan: CommitPlan, on head: CommitOID, _ policy: ConflictPolicy,
        _ edits: [ExactPath: ConflictCheck.Edit]
    ) throws(PublishError) -> CommitPlan {
        try source.prepare(head)
        guard let base = plan.baseCommit else { throw .conflict([]) }
        let theirs = try TreeDifference(from: base, to: head, source: source)
        let check = ConflictCheck(edits, against: theirs)
        if !check.conflicts.isEmpty, policy != .ours || !check.clashes.isEmpty {
            let record = ConflictRecord(
                theirs.conflicted(check.conflicts), head: head, isMoved: false,
                same: check.redundant.map(\.text))
            return try divert(plan, base, policy, record)
        }
        logger.notice(
            "the branch has moved on; the commit is made on top",
            metadata: ["head": "\(head.hex)", "foreign changes": "\(theirs.files.count)"])
        return plan.rebased(
            on: head, without: Set(check.redundant.map { ExactPath(inRepo($0.text)) }),
            goneDirectories: Set(theirs.removedDirectories.map { ExactPath(inRepo($0)) }))
    }

    /// Sends a commit that conflicts with the branch elsewhere, where it does not.
    private func divert(
        _ plan: CommitPlan, _ base: CommitOID, _ policy: ConflictPolicy, _ record: ConflictRecord
    ) throws(PublishError) -> CommitPlan {
        switch policy {
        case .fail, .ours, .theirs:
            // What nobody has decided of an earlier foreign commit comes first.
            if try conflictRecord()?.isMoved != true { try note(record) }
            throw .conflict(record.paths.map(\.path))
        case .pr:
            // A pull request has no pull requests.
            if isOnPullRequest { return try divert(plan, base, .fail, record) }
            return plan.onItsBase(opensPullRequest: true)
        case .branch:
            try divertToBranch(at: base)
            return plan.onItsBase(opensPullRequest: false)
        }
    }

    /// Whether commits go to a pull request.
    var isOnPullRequest: Bool { branch.name.hasPrefix("refs/pr/") }

    /// Lets commits go to a new branch, named after the one they went to.
    func divertToBranch(at base: CommitOID) throws(PublishError) {
        let from = branch.name.replacing("/", with: "-")
        let name = "\(from)-hubfs-\(base.hex.prefix(8))"
        try makeBranch(name, at: base)
        try follow(name)
    }

    /// Moves the workspace to the head of its branch, with its edits.
    ///
    /// - Returns: the commit it stands on then.
    /// - Throws: `.conflict` when others changed paths that are edited here, or open for writing;
    ///   nothing has moved then.
    package func pull() throws(PublishError) -> CommitOID {
        try finishPlan()
        let head = try ask { client.head(repo, of: branch, completion: $0) }
        if head != workspace.overlay.baseCommit {
            try usingBase { () throws(PublishError) in try stand(on: head) }
        }
        return head
    }
}

extension CommitPlan {
    /// The same commit on the commit it was made for, whatever the branch has by now.
    fileprivate func onItsBase(opensPullRequest: Bool) -> CommitPlan {
        CommitPlan(
            base: baseCommit!, parent: baseCommit!, title: title,
            opensPullRequest: opensPullRequest, puts: puts, deletedFiles: deletedFiles,
            deletedDirectories: deletedDirectories, settlement: settlement, isPart: isPart)
    }

    /// The same commit on another parent, less what that has already.
    ///
    /// Paths are from the root of the repo.
    fileprivate func rebased(
        on head: CommitOID, without done: Set<ExactPath>, goneDirectories: Set<ExactPath>
    ) -> CommitPlan {
        CommitPlan(
            base: baseCommit!, parent: head, title: title, opensPullRequest: opensPullRequest,
            puts: puts.filter { !done.contains(ExactPath($0.path)) },
            deletedFiles: deletedFiles.filter { !done.contains(ExactPath($0)) },
            deletedDirectories: deletedDirectories.filter { path in
                !done.contains(ExactPath(path)) && !goneDirectories.contains(ExactPath(path))
            },
            settlement: settlement, isPart: isPart)
    }
}

extension Prepared {
    /// Every change, for comparison with those of others.
    fileprivate func edits(
        _ content: (PreparedFile) -> ContentID
    ) -> [ExactPath: ConflictCheck.Edit] {
        var edits: [ExactPath: ConflictCheck.Edit] = [:]
        for path in deletedFiles { edits[ExactPath(path)] = .delete }
        for directory in deletedDirectories { edits[ExactPath(directory.path)] = .deleteDirectory }
        // Also in the place of a directory that is deleted.
        for file in files { edits[ExactPath(file.path)] = .put(content(file)) }
        return edits
    }
}
