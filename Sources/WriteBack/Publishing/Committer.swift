package import HubClient
package import Logging
import Platform
import SystemPackage

/// Turns the edits of a workspace into commits of its branch: the freeze, the uploads, the commit
/// and what follows it, one at a time.
///
/// ```
/// seal ▶ list changes ▶ hash ▶ preupload ▶ LFS upload ▶ plan on disk ▶ POST ▶ verify ▶ settle
///                                                        └──── from here on, asked before repeated
/// ```
/// Until the Hub has taken a commit nothing of the workspace is given up; a failure at any step
/// leaves all edits as they were.
///
/// Every call waits for the network: for threads of its own.
package final class Committer: Sendable {
    let client: HubClient
    let repo: RepoID
    /// The mounted directory, "" for the whole repo.
    let rootPath: String
    let workspace: Workspace
    let source: any BaseSource
    let sink: (any ContentSink)?
    /// Knows which chunks the content-addressed store has.
    let memory: (any ChunkMemory)?
    let logger: Logger
    /// Learns what changes under the kernel's eyes.
    let observer = Guarded<(any TreeObserver)?>(nil, rank: .leaf)
    private let target: Guarded<Revision>
    private let shownProgress = Guarded(CommitProgress(), rank: .leaf)
    private let stepTimes = Guarded(StepTimes(), rank: .leaf)
    let isStopping = Monitor(false)
    let filling: Filling
    /// The store did not take a file that it was to put together.
    let readsWhole = Monitor(false)

    package init(
        client: HubClient, workspace: Workspace, source: any BaseSource,
        sink: (any ContentSink)?, memory: (any ChunkMemory)? = nil, logger: Logger
    ) {
        self.memory = memory
        self.client = client
        self.workspace = workspace
        repo = workspace.key.repo
        let target = (try? workspace.journal.value(.target)) ?? nil
        self.target = Guarded(Revision(target ?? workspace.key.branch), rank: .leaf)
        rootPath = workspace.key.path
        self.sink = sink
        self.logger = logger
        filling = Filling(logger: logger)
        self.source = RecentBase(source: source, filling: filling)
    }

    /// How far the commit is that is under way.
    package var progress: CommitProgress { shownProgress.withLock { $0 } }

    /// Waits until the cache has what was committed, but not for long: whoever comes next waits for this. Call
    /// once, after the last commit.
    package func close() {
        filling.leave(at: .now.advanced(bySeconds: Self.fillingSeconds))
        filling.finish()
    }

    private static let fillingSeconds = 30.0

    /// Makes the commit under way, and every later one, end with `.cancelled` at its next step.
    package func stop() {
        isStopping.update { $0 = true }
        filling.leave()
    }

    /// Where commits go: the mounted branch, or what the workspace follows since a conflict.
    package var branch: Revision { target.withLock { $0 } }

    /// Lets all later commits go to another branch or pull request.
    func follow(_ ref: String) throws(PublishError) {
        try local { () throws(WriteBackError) in
            try workspace.journal.writeDurably { try $0.set(.target, ref) }
        }
        CrashPoint.followed.pass()
        turn(to: ref)
    }

    /// Commits go to a ref from now on that the journal knows.
    func turn(to ref: String) {
        target.withLock { $0 = Revision(ref) }
        logger.notice("commits go to \(ref) from now on")
    }

    /// The branch that is mounted.
    package var mountedBranch: String { workspace.key.branch }

    /// Multiplies waits, see `HubConfiguration`.
    package var waitFactor: Double { client.configuration.waitFactor }

    /// The commit the workspace stands on.
    package var base: CommitOID { workspace.overlay.baseCommit }

    /// Publishes all edits as one commit.
    ///
    /// - Throws: `PublishError`; the workspace then has every edit still.
    package func commit(_ request: CommitRequest) throws(PublishError) -> CommitReport {
        defer {
            progress { $0 = CommitProgress() }
            returnFreedMemory()
        }
        for _ in 0..<Self.decisionCountMax {
            do throws(PublishError) {
                try finishPlan()
                if let branch = request.branch {
                    try usingBase { () throws(PublishError) in
                        try goTo(branch, creates: request.createsBranch)
                    }
                }
                return try usingBase { () throws(PublishError) in try commitInParts(request) }
            } catch .conflict(let paths) {
                guard let side = request.onConflict.side else { throw .conflict(paths) }
                let resolution = try resolve(paths, for: side)
                guard resolution.unknown.isEmpty, !resolution.resolved.isEmpty else {
                    throw .conflict(paths)
                }
            }
        }
        throw .conflict(try conflicts().map(\.path))
    }

    /// Times a commit is made anew because conflicts were decided; each needs a foreign commit.
    private static let decisionCountMax = 8

    /// Publishes what is asked for, as one commit or as a series of them.
    private func commitInParts(_ request: CommitRequest) throws(PublishError) -> CommitReport {
        var part = 1
        var changeCount = 0
        while true {
            let report = try commit(request, part: part)
            changeCount += report.changeCount
            guard report.isPart else {
                logger.info(
                    "commit finished", metadata: stepTimes.withLock { $0.metadata(now: .now) })
                return report.counting(changeCount)
            }
            part += 1
        }
    }

    /// Makes the next commit of a series: as a rule there is one.
    private func commit(
        _ request: CommitRequest, part: Int
    ) throws(PublishError) -> CommitReport {
        let overlay = workspace.overlay
        for _ in 0..<Self.freezeCountMax {
            progress { $0.step = .sealing }
            let tree = try local { () throws(WriteBackError) in
                try overlay.freeze(leavesOpenFiles: request.leavesOpenFiles)
            }
            defer { tree.release() }
            do throws(PublishError) {
                if let report = try publish(tree, request, part: part) { return report }
            } catch {
                // A plan whose outcome is not known keeps its sealed bytes until it is.
                let plan = try local { () throws(WriteBackError) in
                    try workspace.journal.value(.plan)
                }
                if plan == nil { try thaw() }
                throw error
            }
            try thaw()
        }
        throw .base("directories are renamed faster than they can be committed")
    }

    /// Lets go of what was sealed and is not settled: it is edited on.
    func thaw() throws(PublishError) {
        filling.stop()
        try local { () throws(WriteBackError) in try workspace.overlay.thaw() }
    }

    /// Times the tree is frozen for one commit; more than two need renames all the time.
    private static let freezeCountMax = 8

    /// Gives up every edit. Only after the end of the mount.
    package func discardAll() throws(WriteBackError) { try workspace.overlay.discardAll() }

    /// What differs from the base now.
    ///
    /// - Parameter paths: As in `CommitRequest`.
    package func changes(at paths: [String] = []) throws(PublishError) -> ChangeList {
        let tree = workspace.overlay.edits()
        let changes = try ChangeWalk.changes(
            of: tree, source: source, ignore: try ignoreRules(), leavesOpenFiles: false)
        let selection = ChangeSelection(of: changes, in: tree, paths: paths)
        guard selection.unedited.isEmpty else { throw .unedited(selection.unedited) }
        return selection.list
    }

    /// - Returns: nil when something had to be kept first: the tree is to be frozen anew.
    private func publish(
        _ tree: FrozenTree, _ request: CommitRequest, part: Int
    ) throws(PublishError) -> CommitReport? {
        let selection = ChangeSelection(
            of: try ChangeWalk.changes(
                of: tree, source: source, ignore: try ignoreRules(),
                leavesOpenFiles: request.leavesOpenFiles), in: tree, paths: request.paths)
        if part == 1, !selection.unedited.isEmpty { throw .unedited(selection.unedited) }
        var changes = selection.list
        if try keep(changes.unkept) { return nil }
        progress { $0.step = .hashing }
        var prepared = try prepare(changes)
        CrashPoint.hashed.pass()
        changes.changes = []
        defer { discardTemporary(prepared) }
        let known = try conflictRecord()
        let opensPullRequest = try check(prepared, request)
        if isBucket { return try publishToBucket(tree, prepared, changes, request, selection) }
        try checkReadme(&prepared, &changes.localOnly)
        let isInSeries = try self.isInSeries()
        if part > 1 || isInSeries { try dropSent(&prepared, at: tree.base) }
        let modes = try upload(&prepared, &changes.localOnly)
        CrashPoint.uploaded.pass()
        returnFreedMemory()
        if try keep(prepared.unkept) { return nil }
        guard !prepared.isEmpty else {
            try settleUnchanged(tree, prepared, selection)
            try forgetConflicts(known, but: changes.localOnly, selection.left)
            return CommitReport(
                commit: tree.base, changeCount: 0, localOnly: changes.localOnly, ref: branch.name)
        }
        var title = request.title ?? CommitTitle.text(for: prepared)
        let all = prepared
        let isPart = prepared.cut(modes)
        if isPart || part > 1 {
            title += " (part \(part))"
            logger.notice("the commit is too large for one and goes in parts; this is part \(part)")
        }
        let plan = makePlan(
            tree, prepared, modes, title: title, selection,
            opensPullRequest: opensPullRequest && part == 1, isPart: isPart)
        let commit = try sendOrRebase(plan, prepared, modes, request, of: all)
        // What stays in the workspace is edited on.
        try thaw()
        CrashPoint.thawed.pass()
        if !isPart { try forgetConflicts(known, but: changes.localOnly, selection.left) }
        return CommitReport(
            commit: commit, changeCount: prepared.operationCount, localOnly: changes.localOnly,
            ref: branch.name, isPart: isPart)
    }

    /// Edits that came to nothing are no edits any more.
    func settleUnchanged(
        _ tree: FrozenTree, _ prepared: Prepared, _ selection: ChangeSelection
    ) throws(PublishError) {
        let plan = makePlan(
            tree, prepared, [:], title: "", selection, opensPullRequest: false, isPart: false)
        let settled = try local { () throws(WriteBackError) in
            try workspace.overlay.settle(plan.settlement, on: tree.base) { transaction in
                try transaction.remove(.series)
            }
        }
        for content in settled { content.store.discard() }
        try thaw()
    }

    private func discardTemporary(_ prepared: Prepared) {
        for file in prepared.files + prepared.unchanged.map(\.file) {
            if case .staged(let bytes, _) = file.bytes, bytes.store.isTemporary {
                bytes.store.discard()
            }
        }
    }

    func makePlan(
        _ tree: FrozenTree, _ prepared: Prepared, _ modes: [ExactPath: PreuploadVerdict.Mode],
        title: String, _ selection: ChangeSelection, opensPullRequest: Bool, isPart: Bool
    ) -> CommitPlan {
        var files: [Settlement.File] = []
        var puts: [CommitPlan.Put] = []
        var kept: Set<ExactPath> = []
        let sent = prepared.files.map {
            IdentifiedFile(file: $0, content: content(of: $0, modes[ExactPath($0.path)]))
        }
        // As large as they become: an array that grows takes up to twice that.
        files.reserveCapacity(isPart ? 0 : sent.count + prepared.unchanged.count)
        puts.reserveCapacity(sent.count)
        // Only the last part settles anything.
        for identified in isPart ? [] : sent + prepared.unchanged {
            let file = identified.file
            if let number = file.number {
                files.append(
                    Settlement.File(
                        number: number.value, path: file.path, content: identified.content,
                        size: file.size))
            }
        }
        for file in sent {
            puts.append(
                CommitPlan.Put(
                    path: inRepo(file.file.path), content: file.content,
                    modifiedNanoseconds: isBucket ? file.file.modifiedNanoseconds : nil))
        }
        collectKept(tree.root, at: "", into: &kept)
        for file in sent + prepared.unchanged {
            kept.formUnion(ExactPath(file.file.path).parents)
        }
        let settlement =
            isPart
            ? Settlement(
                partDeleting: prepared.files.isEmpty ? prepared.deletedFiles : [], in: tree)
            : Settlement(tree, files: files, kept: kept, selection)
        return CommitPlan(
            base: tree.base, parent: tree.base, title: title,
            opensPullRequest: opensPullRequest, puts: puts,
            deletedFiles: prepared.deletedFiles.map(inRepo),
            deletedDirectories: prepared.deletedDirectories.map { inRepo($0.path) },
            settlement: settlement, isPart: isPart)
    }

    /// Directories in place are the base's, and stay there.
    private func collectKept(
        _ directory: FrozenDirectory, at path: String, into kept: inout Set<ExactPath>
    ) {
        if directory.isInPlace(at: path) { kept.insert(ExactPath(path)) }
        for child in directory.children {
            if case .directory(let below) = child.kind {
                let name = child.name.description
                collectKept(below, at: path.isEmpty ? name : path + "/" + name, into: &kept)
            }
        }
    }

    /// The identity a file has at the Hub.
    func content(of file: PreparedFile, _ mode: PreuploadVerdict.Mode?) -> ContentID {
        switch file.bytes {
        case .base(let base): base.content
        case .staged(_, let hash): hash.content(mode)
        }
    }

    func inRepo(_ path: String) -> String {
        rootPath.isEmpty ? path : rootPath + "/" + path
    }

    /// The path from the mounted directory; nil for what lies outside of it.
    func inMount(_ path: String) -> String? {
        if rootPath.isEmpty { return path }
        guard path.utf8.starts(with: (rootPath + "/").utf8) else { return nil }
        return String(decoding: Array(path.utf8.dropFirst(rootPath.utf8.count + 1)), as: UTF8.self)
    }

    /// Who is told when the tree changes otherwise than by the kernel.
    package func observe(_ observer: any TreeObserver) {
        self.observer.withLock { $0 = observer }
    }

    func checkStop() throws(PublishError) {
        if isStopping.update({ $0 }) { throw .cancelled }
    }

    func progress(_ change: (inout CommitProgress) -> Void) {
        let (before, after) = shownProgress.withLock { progress in
            let before = progress.step
            change(&progress)
            return (before, progress.step)
        }
        if before != after { stepTimes.withLock { $0.enter(after, now: .now) } }
    }

    /// Runs what uses the workspace's disk alone.
    func local<Value>(
        _ body: () throws(WriteBackError) -> Value
    ) throws(PublishError) -> Value {
        do throws(WriteBackError) {
            return try body()
        } catch {
            throw .workspace(error)
        }
    }

    /// Asks the Hub and waits.
    func ask<Value: Sendable>(
        _ start: (@escaping @Sendable (Result<Value, HubError>) -> Void) -> Void
    ) throws(PublishError) -> Value {
        try checkStop()
        do throws(HubError) {
            return try waitForAnswer(start).get()
        } catch {
            throw .hub(error)
        }
    }
}
