import HubClient
import Logging
import Platform

extension Committer {
    /// Lets commits go to a branch or pull request from now on, and the workspace stand on its head,
    /// with the edits on top.
    ///
    /// - Parameters:
    ///   - creates: Makes a branch that is not there, at the commit the workspace stands on.
    /// - Throws: `.noBranch`; `.conflict` when the branch has something else at paths that are edited,
    ///   or open for writing. Commits go where they went before then.
    package func goTo(_ ref: String, creates: Bool) throws(PublishError) {
        if ref == branch.name { return }
        try finishPlan()
        let base = workspace.overlay.baseCommit
        let head: CommitOID
        if let known = try self.head(of: ref) {
            head = known
        } else {
            guard creates else { throw .noBranch(ref) }
            try makeBranch(ref, at: base)
            head = base
        }
        if head == base { return try follow(ref) }
        try stand(on: head, of: ref)
    }

    /// The newest commit of a branch or pull request; nil when there is none of that name.
    func head(of ref: String) throws(PublishError) -> CommitOID? {
        if isBucket {
            guard ref == branch.name else { return nil }
            return try ask { client.head(repo, of: branch, completion: $0) }
        }
        let isPullRequest = ref.hasPrefix("refs/pr/")
        let refs = try ask {
            client.refs(repo, includesPullRequests: isPullRequest, completion: $0)
        }
        return isPullRequest
            ? refs.pullRequests.first { $0.ref == ref }?.commit
            : refs.branches.first { $0.name == ref }?.commit
    }

    /// Makes a branch; one that has appeared at the same commit meanwhile is as good, also when it is
    /// our own whose answer was lost.
    func makeBranch(_ name: String, at commit: CommitOID) throws(PublishError) {
        let made = waitForAnswer { completion in
            client.createBranch(repo, name: name, at: commit, completion: completion)
        }
        switch made {
        case .success: logger.notice("the branch \(name) was made at \(commit.hex)")
        case .failure(.notSent(let error)): throw .hub(error)
        case .failure(.refused(let error)), .failure(.unknown(let error)):
            if try head(of: name) != commit { throw .hub(error) }
        }
        CrashPoint.branchMade.pass()
    }

    /// Moves to a commit with the edits on top, unless both sides changed a path.
    ///
    /// - Parameter ref: What the workspace follows from then on; nil for what it follows now.
    func stand(on head: CommitOID, of ref: String? = nil) throws(PublishError) {
        let base = workspace.overlay.baseCommit
        try source.prepare(head)
        let theirs = try TreeDifference(from: base, to: head, source: source)
        var record = try conflictRecord()
        if record?.isMoved == false { record = nil }
        CrashPoint.pulling.pass()
        let moving = try withListings { overlay throws(WriteBackError) in
            try overlay.move(to: head, from: base, over: theirs, .unlessContested) {
                transaction, _ in
                // What nobody has decided yet stays undecided.
                try ConflictRecord(record?.paths ?? [], head: head, isMoved: true).put(transaction)
                if let ref { try transaction.set(.target, ref) }
            }
        }
        guard moving.contested.isEmpty, moving.busy.isEmpty else {
            let found = theirs.conflicted(moving.contested)
            if record == nil, !found.isEmpty {
                try note(ConflictRecord(found, head: head, isMoved: false, ref: ref))
            }
            throw .conflict(Set(found.map(\.path) + moving.busy).sorted())
        }
        CrashPoint.moved.pass()
        if let ref { turn(to: ref) }
        observer.withLock { $0 }?.changed(moving.stale)
        logger.notice("moved to \(head.hex)")
        anchor(to: head, ifLost: base)
    }
}
