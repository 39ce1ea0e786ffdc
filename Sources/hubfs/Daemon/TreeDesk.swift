import Logging
import Platform
import RepoFS
import WriteBack

/// Takes the commits of a mount of the whole Hub: each repo that is edited has a `CommitDesk` of its own, and
/// what concerns several is asked of all at once.
final class TreeDesk: EditedRepoKeeper, CommitTaker {
    /// One repo that is edited.
    private struct Row: Sendable {
        let repo: EditedRepo
        let desk: CommitDesk
        let automatic: AutomaticCommits?
    }

    private struct State {
        /// By their paths from the mount point.
        var rows: [String: Row] = [:]
        var ending: CommitDesk.Ending?
        var last: CommitResult?
        /// Who asked for the end: the first is being answered, the others wait for their turns.
        var finishes: [@Sendable (CommitResult) -> Void] = []
    }

    private let request: CommitRequest
    private let moment: CommitMoment
    private let logger: Logger
    private let timers = TimerQueue(name: "hubfs-auto")
    private let state = Guarded(State(), rank: .leaf)
    private let watchers = FinishWatchers()

    /// - Parameters:
    ///   - request: How the mount commits by itself.
    ///   - moment: And when.
    init(_ request: CommitRequest, at moment: CommitMoment, logger: Logger) {
        self.request = request
        self.moment = moment
        self.logger = logger
    }

    // MARK: Repos

    func opened(_ repo: EditedRepo, at path: String) {
        let found = repo.workspace.found
        if found.editCount > 0 {
            logger.notice("\(path) has edits of an earlier mount: \(found.editCount)")
        }
        let desk = CommitDesk(
            repo.committer, usual: request, ending: moment.ending, logger: logger)
        let automatic = moment.pace.map {
            AutomaticCommits($0, desk: desk, workspace: repo.workspace, timers: timers)
        }
        let ending = state.withLock { state in
            state.rows[path] = Row(repo: repo, desk: desk, automatic: automatic)
            return state.ending
        }
        if let ending { desk.setEnding(ending) }
    }

    func close(_ repo: EditedRepo, at path: String) {
        let row = state.withLock { state -> Row? in
            guard state.rows[path]?.repo === repo else { return nil }
            return state.rows.removeValue(forKey: path)
        }
        if let row { Self.close(row) }
    }

    /// Closes all workspaces. Call once, when no repo is opened any more, after `finish`.
    func close() {
        let rows = state.withLock { state in
            defer { state.rows = [:] }
            return state.rows.values
        }
        for row in rows { row.automatic?.close() }
        timers.close()
        for row in rows { Self.close(row) }
    }

    /// Begins no more commits by itself.
    func stopAutomaticCommits() {
        for (_, row) in rows { row.automatic?.close() }
    }

    /// Makes the commits under way end soon; their edits stay in the workspaces.
    func stop() {
        for (_, row) in rows { row.desk.stop() }
    }

    private static func close(_ row: Row) {
        row.automatic?.close()
        row.desk.close()
        row.repo.workspace.close()
    }

    /// Repos that are edited, in the order of their paths.
    private var rows: [(path: String, row: Row)] {
        state.withLock { $0.rows }.map { ($0.key, $0.value) }.sorted { $0.path < $1.path }
    }

    /// What can be looked at.
    var places: [LookDesk.Place] {
        rows.map { LookDesk.Place(path: $0.path, committer: $0.row.desk.committer) }
    }

    /// Files with edits that are in no commit, and their bytes.
    var edited: (fileCount: Int, byteCount: UInt64) {
        rows.reduce(into: (0, 0)) { sums, item in
            let edited = item.row.repo.workspace.overlay.edited
            sums.fileCount += edited.fileCount
            sums.byteCount += edited.byteCount
        }
    }

    /// How far the commits are that are under way: the step of the first, and the bytes of all in it.
    var progress: (step: CommitProgress.Step, doneBytes: UInt64, totalBytes: UInt64) {
        let busy = rows.map(\.row.desk.progress).filter { $0.step != .idle }
        guard let step = busy.first?.step else { return (.idle, 0, 0) }
        return busy.filter { $0.step == step }.reduce(into: (step, 0, 0)) { sums, progress in
            sums.1 += progress.doneBytes
            sums.2 += progress.totalBytes
        }
    }

    /// How the last commit ended that was asked for; nil before the first. Those that repos make by
    /// themselves are not counted.
    var last: CommitResult? { state.withLock { $0.last } }

    // MARK: Commits

    func setEnding(_ ending: CommitDesk.Ending?) {
        state.withLock { $0.ending = ending }
        for (_, row) in rows { row.desk.setEnding(ending) }
    }

    func commit(
        _ wish: CommitWish, completion: @escaping @Sendable (CommitResult) -> Void
    ) {
        let chosen = chosen(wish.paths)
        if let unknown = chosen.unknown { return completion(unknown) }
        guard wish.branch == nil || chosen.rows.count == 1 else {
            return completion(
                CommitResult(
                    .usage,
                    "--branch is for one repo: name it, hubfs commit --branch NAME DIR models/org/name"
                ))
        }
        ask(chosen.rows) { [self] result in
            state.withLock { $0.last = result }
            completion(result)
        } _: { row, paths, done in
            var wish = wish
            wish.paths = paths
            row.desk.commit(wish, completion: done)
        }
    }

    func onFinish(completion: @escaping @Sendable (CommitResult) -> Void) {
        watchers.add(completion)
    }

    /// The daemon at its end and `hubfs umount` both ask, at about the same time. One is answered after
    /// the other: of two at once each might commit some of the repos, and neither tell of all.
    func finish(completion: @escaping @Sendable (CommitResult) -> Void) {
        let isFirst = state.withLock { state in
            state.finishes.append(completion)
            return state.finishes.count == 1
        }
        if isFirst { finishForFirst() }
    }

    private func finishForFirst() {
        ask(chosen([]).rows) { [self] result in
            state.withLock { $0.last = result }
            watchers.tell(result)
            let (completion, isLast) = state.withLock { state in
                (state.finishes.removeFirst(), state.finishes.isEmpty)
            }
            completion(result)
            if !isLast { finishForFirst() }
        } _: { row, _, done in
            row.desk.finish(completion: done)
        }
    }

    func pull(completion: @escaping @Sendable (CommitResult) -> Void) {
        ask(chosen([]).rows, completion: completion) { row, _, done in
            row.desk.pull(completion: done)
        }
    }

    func discard(_ paths: [String], completion: @escaping @Sendable (CommitResult) -> Void) {
        let chosen = chosen(paths)
        if let unknown = chosen.unknown { return completion(unknown) }
        // Of a whole repo without edits nothing has to be given up.
        let rows = chosen.rows.filter {
            !$0.paths.isEmpty || $0.row.repo.workspace.overlay.isEdited
        }
        ask(rows, completion: completion) { row, paths, done in
            row.desk.discard(paths.isEmpty ? [""] : paths, completion: done)
        }
    }

    func resolve(
        _ paths: [String], for side: ConflictSide,
        completion: @escaping @Sendable (CommitResult) -> Void
    ) {
        let chosen = chosen(paths)
        if let unknown = chosen.unknown { return completion(unknown) }
        let rows = chosen.rows.filter { item in
            let conflicts = try? item.row.desk.committer.conflicts()
            return !item.paths.isEmpty || !(conflicts?.isEmpty ?? false)
        }
        ask(rows, completion: completion) { row, paths, done in
            row.desk.resolve(paths.isEmpty ? [""] : paths, for: side, completion: done)
        }
    }

    private typealias Chosen = (path: String, row: Row, paths: [String])

    /// The repos that paths are in, with the paths in them, none for all of one.
    ///
    /// - Returns: `unknown` when there is nothing to choose from at one of them.
    private func chosen(_ paths: [String]) -> (rows: [Chosen], unknown: CommitResult?) {
        let rows = rows
        let split = TreePaths(paths, among: rows.map(\.path))
        let chosen = rows.compactMap { item in
            split.named(in: item.path).map { (item.path, item.row, $0) }
        }
        let unknown = split.unknown.first.map { path in
            CommitResult(.notFound, "nothing is edited at \(printable(path))")
        }
        return (chosen, unknown)
    }

    /// Asks several repos at once, each on its own thread, and tells what all of it came to.
    private func ask(
        _ chosen: [Chosen], completion: @escaping @Sendable (CommitResult) -> Void,
        _ question: (Row, [String], @escaping @Sendable (CommitResult) -> Void) -> Void
    ) {
        if chosen.isEmpty { return completion(CommitResult([])) }
        let results = Guarded([String: CommitResult](), rank: .leaf)
        for item in chosen {
            question(item.row, item.paths) { result in
                let all = results.withLock { results in
                    results[item.path] = result
                    return results.count == chosen.count ? results : nil
                }
                guard let all else { return }
                completion(CommitResult(chosen.map { ($0.path, all[$0.path]!) }))
            }
        }
    }
}
