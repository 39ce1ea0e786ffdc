import HubClient
import Logging
import Platform
import SystemPackage

extension Committer {
    /// Sends one planned commit and follows it to its end: taken, looked at, and the workspace
    /// standing on it. The plan is on disk before the first byte leaves.
    func send(
        _ plan: CommitPlan, _ prepared: Prepared, _ modes: [ExactPath: PreuploadVerdict.Mode],
        description: String
    ) throws(PublishError) -> CommitOID {
        if isBucket { return try sendToBucket(plan, prepared) }
        let spool = try local { () throws(WriteBackError) in
            try workspace.staging.temporaryFile()
        }
        defer { spool.discard() }
        let byteCount = try write(plan, prepared, modes, description, to: spool)
        CrashPoint.spooled.pass()
        try local { () throws(WriteBackError) in
            let text = try plan.encoded()
            try workspace.journal.writeDurably { try $0.set(.plan, text) }
        }
        CrashPoint.planned.pass()
        progress { $0.step = .committing }
        var mayHaveLanded = false
        let commit: CommitOID
        do throws(PublishError) {
            commit = try post(plan, spool, byteCount, &mayHaveLanded)
        } catch {
            // Only a plan that the Hub has not taken, for certain, is given up: whatever else ends
            // this, the next commit begins by asking for it.
            if !mayHaveLanded { try dropPlan() }
            throw error
        }
        return try finish(plan, commit)
    }

    /// Settles a plan that was left by a commit whose end nobody saw: by a daemon that was killed, or
    /// a Hub that did not answer.
    func finishPlan() throws(PublishError) {
        let text = try local { () throws(WriteBackError) in try workspace.journal.value(.plan) }
        guard let text else {
            try absorbForeignChange()
            // A daemon that was killed between the freeze and the plan has left sealed files.
            return try thaw()
        }
        guard let plan = CommitPlan(encoded: text) else {
            throw .workspace(
                .damaged(path: workspace.folder.string, reason: "the planned commit is unreadable"))
        }
        if let commit = try madeCommit(of: plan) {
            logger.notice("the commit that was under way is at the Hub: \(commit.hex)")
            _ = try finish(plan, commit)
        } else {
            logger.notice("the commit that was under way did not reach the Hub; it is made anew")
            try dropPlan()
        }
        // What stays in the workspace was sealed as well, and may have been edited since.
        try thaw()
    }

    /// The commit that was made of a plan, if the branch has it: the child of the plan's parent, with
    /// every planned path as planned, and nothing else changed. Also found with foreign commits on top.
    func madeCommit(of plan: CommitPlan) throws(PublishError) -> CommitOID? {
        if isBucket { return try takenState(of: plan) }
        guard plan.opensPullRequest else { return try madeCommit(of: plan, in: branch)?.commit }
        let refs = try ask { client.refs(repo, includesPullRequests: true, completion: $0) }
        let newest = refs.pullRequests.sorted {
            (Int($0.name) ?? 0) > (Int($1.name) ?? 0)
        }.prefix(Self.pullRequestCountMax)
        for request in newest {
            // Others can have opened one of the same contents, which is theirs.
            if let made = try madeCommit(of: plan, in: Revision(request.ref)),
                isTitle(made.title, of: plan)
            {
                try follow(request.ref)
                return made.commit
            }
        }
        return nil
    }

    /// Whether a history may show a commit under this title: it shows the first line, cut if it is long.
    private func isTitle(_ title: String, of plan: CommitPlan) -> Bool {
        let line = plan.title.utf8.split(separator: UInt8(ascii: "\n")).first ?? [][...]
        let shown = title.utf8
        return shown.starts(with: line) || line.starts(with: shown)
    }

    /// Pull requests that are looked through for a commit whose answer was lost.
    private static let pullRequestCountMax = 20

    private func madeCommit(
        of plan: CommitPlan, in ref: Revision
    ) throws(PublishError) -> CommitSummary? {
        guard let parent = plan.parentCommit else { return nil }
        let child = try ask { client.child(of: parent, repo, in: ref, completion: $0) }
        guard case .found(let summary) = child,
            try differences(of: summary.commit, from: plan).isEmpty,
            try !changesMore(summary.commit, than: plan)
        else { return nil }
        return summary
    }

    /// Whether a child of the plan's parent differs from it at a path that is not planned: then it is
    /// somebody else's, who has done the same and more.
    private func changesMore(
        _ commit: CommitOID, than plan: CommitPlan
    ) throws(PublishError) -> Bool {
        guard let parent = plan.parentCommit else { return true }
        try source.prepare(commit)
        var planned = Set((plan.puts.map(\.path) + plan.deletedFiles).map { ExactPath($0) })
        planned.insert(ExactPath(Self.attributesPath))
        let removed = Set(plan.deletedDirectories.map { ExactPath($0) })
        return try TreeDifference(from: parent, to: commit, source: source).files.contains { file in
            let path = ExactPath(inRepo(file.path))
            return !planned.contains(path) && !path.parents.contains { removed.contains($0) }
        }
    }

    func dropPlan() throws(PublishError) {
        try local { () throws(WriteBackError) in
            try workspace.journal.writeDurably { try $0.remove(.plan) }
        }
    }

    /// Waits between tries at a busy branch, in seconds.
    private static let busySeconds: [Double] = [1, 2, 4, 8, 15, 30]

    /// - Parameter mayHaveLanded: Whether the branch may have the commit although this throws.
    private func post(
        _ plan: CommitPlan, _ spool: StagingFile, _ byteCount: UInt64,
        _ mayHaveLanded: inout Bool
    ) throws(PublishError) -> CommitOID {
        var waits = Self.busySeconds[...]
        while true {
            try checkStop()
            let outcome = try local { () throws(WriteBackError) in
                try spool.use { (body) throws(Errno) in
                    waitForAnswer { completion in
                        client.commit(
                            repo, to: branch, body: body, byteCount: byteCount,
                            createsPullRequest: plan.opensPullRequest, completion: completion)
                    }
                }
            }
            CrashPoint.posted.pass()
            switch outcome {
            case .committed(let receipt):
                CrashPoint.answered.pass()
                if let number = receipt.pullRequest { try follow("refs/pr/\(number)") }
                return receipt.commit
            case .refused(let error): throw .hub(error)
            case .busy(let error), .notSent(let error):
                guard let seconds = waits.popFirst() else { throw .hub(error) }
                pause(seconds)
            case .stale(let error):
                mayHaveLanded = true
                if let commit = try afterUncertainty(plan, error) { return commit }
                let head = try ask { client.head(repo, of: branch, completion: $0) }
                // The branch has moved on without it, so that it can never land any more.
                mayHaveLanded = head == plan.parentCommit
                if !mayHaveLanded { throw .stale(head: head) }
                // The Hub's word on its own head is behind: a stale answer, not a stale commit.
                guard let seconds = waits.popFirst() else { throw .hub(error) }
                pause(seconds)
            case .unknown(let error):
                mayHaveLanded = true
                if let commit = try afterUncertainty(plan, error) { return commit }
                // Not there: it can be sent again with the same parent, so at most one lands.
                guard let seconds = waits.popFirst() else { throw .unknownOutcome(error) }
                pause(seconds)
                // No parent keeps a second pull request from being opened: the last look is just before.
                if plan.opensPullRequest, let commit = try afterUncertainty(plan, error) {
                    return commit
                }
            }
        }
    }

    /// Asks whether the commit is there after all. A Hub that cannot be asked leaves the question open.
    private func afterUncertainty(
        _ plan: CommitPlan, _ error: HubError
    ) throws(PublishError) -> CommitOID? {
        do throws(PublishError) {
            return try madeCommit(of: plan)
        } catch {
            guard case .hub(let error) = error else { throw error }
            throw .unknownOutcome(error)
        }
    }

    /// Looks at what the Hub has now, and lets the workspace stand on it.
    func finish(_ plan: CommitPlan, _ commit: CommitOID) throws(PublishError) -> CommitOID {
        progress { $0.step = .verifying }
        do throws(PublishError) {
            // Of a bucket the answers have said it.
            let wrong = isBucket ? [] : try differences(of: commit, from: plan)
            guard wrong.isEmpty else {
                // Made, and not ours: what others committed, to everybody who comes after it.
                try dropPlan()
                throw PublishError.mismatch(commit: commit, paths: wrong)
            }
            CrashPoint.verified.pass()
            try source.prepare(commit)
            try settle(plan, on: commit)
            return commit
        } catch .hub(let error) {
            // No refusal of the commit: that is made.
            throw .unknownOutcome(error)
        }
    }

    private func settle(_ plan: CommitPlan, on commit: CommitOID) throws(PublishError) {
        let foreign = try foreignChange(plan, commit)
        let settlement = try standing(plan.settlement, on: commit)
        CrashPoint.settling.pass()
        let settled = try local { () throws(WriteBackError) in
            let text = try foreign?.encoded()
            return try workspace.overlay.settle(settlement, on: commit) { transaction in
                if let text { try transaction.set(.foreign, text) }
                if plan.isPart {
                    try transaction.set(.series, plan.title)
                } else {
                    try transaction.remove(.series)
                }
            }
        }
        CrashPoint.settled.pass()
        if let sink { filling.hand(settled.filter { !$0.isWhole }, to: sink) }
        for content in settled {
            if content.isWhole { sink?.adopt(content.base, from: content.store.path) }
            content.store.discard()
        }
        CrashPoint.adopted.pass()
        do throws(PublishError) {
            try absorbForeignChange()
        } catch .hub(let error) {
            // The commit is made, and the journal knows what is left to do: the next one begins with it.
            logger.warning("what others committed does not show yet: \(error.sentence)")
        }
    }

    /// What the tree does not show yet of the commit that was made of a plan: what others did before
    /// it, and what the Hub did itself.
    private func foreignChange(
        _ plan: CommitPlan, _ commit: CommitOID
    ) throws(PublishError) -> ForeignChange? {
        guard let base = plan.baseCommit, let parent = plan.parentCommit else { return nil }
        let attributes = try attributesChange(plan, commit)
        if base == parent, attributes == nil { return nil }
        let ours = (plan.puts.map(\.path) + plan.deletedFiles).compactMap(inMount)
        return ForeignChange(
            from: base, to: parent, ours: ours.filter { $0 != attributes?.path },
            removedDirectories: plan.deletedDirectories.compactMap(inMount),
            attributes: attributes)
    }

    /// A directory whose last file went is no directory of the commit any more, though it is one here.
    private func standing(
        _ settlement: Settlement, on commit: CommitOID
    ) throws(PublishError) -> Settlement {
        let paths = settlement.doubtfulDirectories
        if isBucket {
            var found: [String] = []
            for path in paths where try isFolder(path, at: commit) { found.append(path) }
            return settlement.losing(paths, but: found)
        }
        let entries = try ask {
            client.pathsInfo(
                repo, Revision(commit.hex), paths: paths.map(inRepo), completion: $0)
        }
        let found = entries.compactMap { entry in
            if case .directory = entry.kind { inMount(entry.path) } else { nil }
        }
        return settlement.losing(paths, but: found)
    }

    /// The file in which the Hub itself notes which paths are LFS files.
    private static let attributesPath = ".gitattributes"

    /// What the Hub made of `.gitattributes` beyond what was sent; nil when nothing.
    private func attributesChange(
        _ plan: CommitPlan, _ commit: CommitOID
    ) throws(PublishError) -> TreeDifference.File? {
        guard !isBucket, rootPath.isEmpty, let parent = plan.parentCommit, parent != commit else {
            return nil
        }
        let name = EntryName(Self.attributesPath)
        func file(at commit: CommitOID) throws(PublishError) -> (content: ContentID, size: UInt64)?
        {
            let listing = try source.listing(of: "", at: commit)
            guard let index = listing.index(of: name),
                case .file(let content, let size) = listing.kind(at: index)
            else { return nil }
            return (content, size)
        }
        let planned = plan.puts.first { $0.path == Self.attributesPath }
        let before = try file(at: parent)
        let expected = planned?.content ?? before?.content
        let found = try file(at: commit)
        guard found?.content != expected else { return nil }
        return TreeDifference.File(
            path: Self.attributesPath, content: found?.content, size: found?.size ?? 0)
    }

    /// Planned paths that a commit does not show as planned.
    private func differences(
        of commit: CommitOID, from plan: CommitPlan
    ) throws(PublishError) -> [String] {
        var wrong: [String] = []
        try look(at: plan.puts, in: commit, \.path) { put, found in
            // The Hub adds lines of its own for LFS files.
            if put.path == Self.attributesPath { return }
            if case .file(let content, _)? = found, content == put.content { return }
            wrong.append(put.path)
        }
        // A path that was deleted as a file may be a directory now, and the other way round.
        try look(at: plan.deletedFiles, in: commit, \.self) { path, found in
            if case .file? = found { wrong.append(path) }
        }
        try look(at: plan.deletedDirectories, in: commit, \.self) { path, found in
            if case .directory? = found { wrong.append(path) }
        }
        return wrong
    }

    /// Shows what a commit has at the path of each item, one question's worth at a time.
    private func look<Item>(
        at items: [Item], in commit: CommitOID, _ path: (Item) -> String,
        _ visit: (Item, TreeEntry.Kind?) -> Void
    ) throws(PublishError) {
        for start in stride(from: 0, to: items.count, by: HubClient.pathsInfoCountMax) {
            let batch = items[start..<min(start + HubClient.pathsInfoCountMax, items.count)]
            let paths = batch.map(path)
            let entries = try ask {
                client.pathsInfo(repo, Revision(commit.hex), paths: paths, completion: $0)
            }
            var found: [ExactPath: TreeEntry.Kind] = [:]
            for entry in entries { found[ExactPath(entry.path)] = entry.kind }
            for item in batch { visit(item, found[ExactPath(path(item))]) }
        }
    }

    private func write(
        _ plan: CommitPlan, _ prepared: Prepared, _ modes: [ExactPath: PreuploadVerdict.Mode],
        _ description: String, to spool: StagingFile
    ) throws(PublishError) -> UInt64 {
        do {
            spool.retain()
            defer { spool.release() }
            var body = try CommitBody(
                spool: try spool.descriptorWhileRetained(), summary: plan.title,
                description: description, parent: plan.parentCommit)
            for path in plan.deletedFiles { try body.deletedFile(path) }
            for path in plan.deletedDirectories { try body.deletedFolder(path) }
            // Of a plan that was rebased, some may be at the Hub already.
            let planned = Set(plan.puts.map { ExactPath($0.path) })
            for file in prepared.files where planned.contains(ExactPath(inRepo(file.path))) {
                switch (content(of: file, modes[ExactPath(file.path)]), file.bytes) {
                case (.lfs(let oid), _):
                    try body.lfsFile(inRepo(file.path), oid: oid, size: file.size)
                case (.git, .staged(let bytes, _)):
                    try bytes.makeWhole()
                    bytes.store.retain()
                    defer { bytes.store.release() }
                    try body.file(
                        inRepo(file.path), content: try bytes.store.descriptorWhileRetained(),
                        size: file.size)
                case (.git, .base):
                    preconditionFailure("what git keeps was staged when it was prepared")
                case (.xet, _):
                    preconditionFailure("a bucket takes no commits")
                }
            }
            return try body.finish()
        } catch let error as WriteBackError {
            throw .workspace(error)
        } catch CommitBody.Failure.spool(.noSpace) {
            throw .workspace(.full)
        } catch {
            throw .workspace(.journal("the commit cannot be written: \(error)"))
        }
    }

    private func pause(_ seconds: Double) {
        let deadline = MonotonicInstant.now.advanced(
            bySeconds: seconds * waitFactor)
        _ = isStopping.wait(until: deadline) { $0 ? true : nil }
    }
}
