import Platform
import WriteBack

/// Commits while the mount lives: soon after the last change, or at intervals.
///
/// Files that programs can still write to are left for the next commit. A commit that failed is
/// tried again by itself, so a Hub that was away for a while gets it without a new change.
final class AutomaticCommits: Sendable {
    private struct State {
        /// The workspace's activity when the last commit that came about began; nil while there are
        /// edits of an earlier mount that were in none.
        var committed: UInt64?
        /// The activity when the commit under way began.
        var started: UInt64 = 0
        /// The activity at the last look, and since when it is that.
        var seen: UInt64
        var seenSince = MonotonicInstant.now
        /// Since when there is something to commit; nil while there is nothing.
        var dirtySince: MonotonicInstant?
        /// Not before this.
        var next: MonotonicInstant
        var isCommitting = false
        var isClosed = false
    }

    private static let lookSeconds = 1.0
    /// Whoever could not be reached, or has something else at a path, is left alone for so long.
    private static let failurePauseSeconds = 30.0

    private let desk: CommitDesk
    private let workspace: Workspace
    private let pace: CommitPace
    private let waitFactor: Double
    private let timers: TimerQueue
    private let state: Guarded<State>

    init(_ pace: CommitPace, desk: CommitDesk, workspace: Workspace, timers: TimerQueue) {
        self.pace = pace
        self.desk = desk
        self.workspace = workspace
        self.timers = timers
        waitFactor = desk.committer.waitFactor
        let activity = workspace.activity
        let first = MonotonicInstant.now.advanced(bySeconds: pace.intervalSeconds ?? 0)
        let found = workspace.found
        let isLeftOver = found.editCount > 0 || found.hasOpenCommit
        state = Guarded(
            State(committed: isLeftOver ? nil : activity, seen: activity, next: first),
            rank: .leaf)
        look()
    }

    /// Begins no more commits.
    func close() { state.withLock { $0.isClosed = true } }

    private func look() {
        if isDue() { desk.commitAutomatically { [weak self] result in self?.ended(result) } }
        if state.withLock({ $0.isClosed }) { return }
        timers.schedule(afterSeconds: Self.lookSeconds) { [weak self] in self?.look() }
    }

    private func isDue() -> Bool {
        let activity = workspace.activity
        let now = MonotonicInstant.now
        return state.withLock { state in
            if activity != state.seen {
                state.seen = activity
                state.seenSince = now
            }
            if activity == state.committed {
                state.dirtySince = nil
            } else if state.dirtySince == nil {
                state.dirtySince = now
            }
            let dirtySeconds = state.dirtySince.map { now.seconds(since: $0) } ?? 0
            let isQuiet =
                pace.intervalSeconds != nil
                || now.seconds(since: state.seenSince) >= pace.quietSeconds
                || dirtySeconds >= pace.latestSeconds
            guard !state.isClosed, !state.isCommitting, activity != state.committed, isQuiet,
                now >= state.next
            else { return false }
            state.isCommitting = true
            state.started = activity
            state.dirtySince = nil
            return true
        }
    }

    private func ended(_ result: CommitResult) {
        state.withLock { state in
            state.isCommitting = false
            let isDone = result.code == .success || result.code == .refused
            if isDone { state.committed = state.started }
            let patience =
                isDone ? pace.pauseSeconds : max(pace.pauseSeconds, Self.failurePauseSeconds)
            let pause = max(pace.intervalSeconds ?? 0, patience * waitFactor)
            state.next = MonotonicInstant.now.advanced(bySeconds: pause)
        }
    }
}
