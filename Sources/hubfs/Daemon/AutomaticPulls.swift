import Platform

/// Lets a writable mount of a bucket show what others write, again and again: there is no commit that it
/// could stay at. What is edited here stays as it is; where others changed the same, `hubfs status` says so.
final class AutomaticPulls: Sendable {
    private struct State {
        var isClosed = false
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

    private func schedule(afterSeconds seconds: Double) {
        if state.withLock({ $0.isClosed }) { return }
        timers.schedule(afterSeconds: seconds) { [weak self] in self?.pull() }
    }

    private func pull() {
        if state.withLock({ $0.isClosed }) { return }
        let begin = MonotonicInstant.now
        desk.pull { [weak self] result in
            guard let self else { return }
            let isNews = state.withLock { state in
                defer { state.trouble = result.sentence }
                return state.trouble != result.sentence
            }
            if isNews, let sentence = result.sentence { log(sentence) }
            let seconds = Self.restFactor * MonotonicInstant.now.seconds(since: begin)
            schedule(afterSeconds: max(intervalSeconds, seconds))
        }
    }
}
