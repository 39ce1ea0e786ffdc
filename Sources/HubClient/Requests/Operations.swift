import Platform

/// A question under way that must end by a deadline of its own.
protocol TimedOperation: AnyObject, Sendable {
    /// Ends with an error if nothing arrived for too long.
    func endIfOverdue(now: MonotonicInstant)
    /// Ends with `.cancelled`.
    func cancel()
}

/// The questions under way: looked at from time to time, so that each ends in time wherever it
/// waits (in a queue, for another one's answer, for a retry), and all of them end at shutdown.
///
/// One look every quarter of a second costs less than a timer for each question.
final class Operations: Sendable {
    private struct State {
        var running: [ObjectIdentifier: any TimedOperation] = [:]
        var isTicking = false
        var isClosed = false
    }

    private let state = Guarded(State(), rank: .hub)
    private let timers: TimerQueue

    private static let tickSeconds = 0.25

    init(timers: TimerQueue) { self.timers = timers }

    /// Locks: takes hub.
    ///
    /// - Returns: false after `close`.
    func add(_ operation: any TimedOperation) -> Bool {
        let (isOpen, startsTicking) = state.withLock { state in
            guard !state.isClosed else { return (false, false) }
            state.running[ObjectIdentifier(operation)] = operation
            defer { state.isTicking = true }
            return (true, !state.isTicking)
        }
        if startsTicking { scheduleTick() }
        return isOpen
    }

    func remove(_ operation: any TimedOperation) {
        state.withLock { state in
            _ = state.running.removeValue(forKey: ObjectIdentifier(operation))
        }
    }

    /// Cancels everything under way and refuses what comes after.
    func close() {
        let running = state.withLock { state in
            state.isClosed = true
            return Array(state.running.values)
        }
        for operation in running { operation.cancel() }
    }

    private func scheduleTick() {
        timers.schedule(afterSeconds: Self.tickSeconds) { [weak self] in self?.tick() }
    }

    private func tick() {
        let running = state.withLock { state in
            state.isTicking = !state.running.isEmpty
            return Array(state.running.values)
        }
        let now = MonotonicInstant.now
        for operation in running { operation.endIfOverdue(now: now) }
        if !running.isEmpty { scheduleTick() }
    }
}
