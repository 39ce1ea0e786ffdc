import Platform

/// Lets a writable mount of a bucket show what others write, again and again: there is no commit that it
/// could stay at. What is edited here stays as it is; where others changed the same, `hubfs status` says so.
final class AutomaticPulls: Sendable {
    private struct State {
        var isClosed = false
        /// The wait that counts: a shorter one has taken the place of others.
        var turn = 0
        var isWaitingForTurn = false
        var isRung = false
        /// Somebody has heard of changes, and the next one comes soon.
        var isSoon = false
        /// Before it there is none only because somebody has heard of changes.
        var notBefore = MonotonicInstant.now
        /// Says whether changes are told as they happen.
        var isTold: (@Sendable () -> Bool)?
        /// How the last one ended, so that the same trouble is told once.
        var trouble: String?
    }

    private let desk: CommitDesk
    private let timers: TimerQueue
    private let intervalSeconds: Double
    private let log: @Sendable (String) -> Void
    private let state = Guarded(State(), rank: .leaf)

    /// What listing a large bucket takes, times this, lies between two of them.
    private static let restFactor = 20.0
    private static let ringSecondsMin = 0.5
    /// While changes are told, there is one no more often by itself.
    private static let toldSeconds = 600.0

    /// - Parameter log: Takes a sentence when it begins to fail.
    init(
        everySeconds seconds: Double, _ desk: CommitDesk, timers: TimerQueue,
        log: @escaping @Sendable (String) -> Void
    ) {
        self.desk = desk
        self.timers = timers
        self.log = log
        intervalSeconds = seconds
        schedule(afterSeconds: seconds)
    }

    /// Begins no more of them.
    func close() { state.withLock { $0.isClosed = true } }

    /// Pulls soon: something is said to be new.
    func ring() {
        let seconds: Double? = state.withLock { state in
            // One that is under way may have looked already.
            state.isRung = true
            guard state.isWaitingForTurn, !state.isSoon else { return nil }
            state.isSoon = true
            return max(Self.ringSecondsMin, state.notBefore.seconds(since: .now))
        }
        if let seconds { schedule(afterSeconds: seconds) }
    }

    /// Pulls seldom by itself for as long as changes are told as they happen.
    func listens(_ isTold: @escaping @Sendable () -> Bool) {
        state.withLock { $0.isTold = isTold }
    }

    private func schedule(afterSeconds seconds: Double) {
        let turn: Int? = state.withLock { state in
            if state.isClosed { return nil }
            state.turn += 1
            state.isWaitingForTurn = true
            return state.turn
        }
        guard let turn else { return }
        timers.schedule(afterSeconds: seconds) { [weak self] in self?.pull(turn) }
    }

    private func pull(_ turn: Int) {
        let isTurn = state.withLock { state in
            guard !state.isClosed, state.turn == turn else { return false }
            (state.isWaitingForTurn, state.isRung, state.isSoon) = (false, false, false)
            return true
        }
        guard isTurn else { return }
        let begin = MonotonicInstant.now
        desk.pull { [weak self] result in
            guard let self else { return }
            let isNews = state.withLock { state in
                defer { state.trouble = result.sentence }
                return state.trouble != result.sentence
            }
            if isNews, let sentence = result.sentence { log(sentence) }
            let rest = max(
                Self.ringSecondsMin, Self.restFactor * MonotonicInstant.now.seconds(since: begin))
            let (isRung, isTold) = state.withLock { state in
                state.notBefore = .now.advanced(bySeconds: rest)
                return (state.isRung, state.isTold)
            }
            let usual = isTold?() == true ? Self.toldSeconds : intervalSeconds
            schedule(afterSeconds: isRung ? rest : max(usual, rest))
        }
    }
}
