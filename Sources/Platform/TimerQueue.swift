import HeapModule

/// Runs closures at given instants on one thread of its own.
///
/// For time-outs and retries. Closures must be short: they hand work on, they do not do it.
package final class TimerQueue: Sendable {
    /// Names one scheduled closure.
    package struct Token: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    private struct Entry: Comparable {
        let instant: MonotonicInstant
        let token: Token

        static func < (left: Entry, right: Entry) -> Bool {
            (left.instant, left.token.number) < (right.instant, right.token.number)
        }
    }

    private struct Schedule {
        var entries = Heap<Entry>()
        /// Invariant: every key has an entry in the heap; entries without a key were cancelled.
        var actions: [Token: @Sendable () -> Void] = [:]
        var lastNumber: UInt64 = 0
        var isClosed = false
    }

    private let schedule = Monitor(Schedule())
    private let thread: Thread

    package init(name: String = "hubfs-timer") {
        let schedule = self.schedule
        thread = Thread(name: name) {
            while let due = TimerQueue.waitForDue(schedule) {
                for action in due { action() }
            }
        }
    }

    /// Runs `action` once, at `instant` or soon after.
    @discardableResult
    package func schedule(
        at instant: MonotonicInstant, _ action: @escaping @Sendable () -> Void
    ) -> Token {
        schedule.updateWakingIfTold { schedule -> (result: Token, mustWake: Bool) in
            schedule.lastNumber += 1
            let token = Token(number: schedule.lastNumber)
            // The thread waits for the first one as it is.
            let isFirst = schedule.entries.min.map { instant < $0.instant } ?? true
            schedule.entries.insert(Entry(instant: instant, token: token))
            schedule.actions[token] = action
            return (token, isFirst)
        }
    }

    /// Runs `action` once, `seconds` from now.
    @discardableResult
    package func schedule(
        afterSeconds seconds: Double, _ action: @escaping @Sendable () -> Void
    ) -> Token {
        schedule(at: .now.advanced(bySeconds: seconds), action)
    }

    /// Forgets a closure.
    ///
    /// - Returns: false when it has run, is running or was cancelled already.
    @discardableResult
    package func cancel(_ token: Token) -> Bool {
        schedule.updateWakingIfTold { schedule -> (result: Bool, mustWake: Bool) in
            (schedule.actions.removeValue(forKey: token) != nil, false)
        }
    }

    /// Drops what is scheduled and ends the thread. Call at most once, not from a closure.
    package func close() {
        schedule.update { $0.isClosed = true }
        thread.join()
    }

    /// - Returns: the closures that are due now, or nil when the queue was closed.
    private static func waitForDue(_ schedule: Monitor<Schedule>) -> [@Sendable () -> Void]? {
        while true {
            let deadline = schedule.update { Self.dropCancelled(&$0) }
            var closed = false
            let due: [@Sendable () -> Void]? = schedule.wait(until: deadline) { schedule in
                closed = schedule.isClosed
                if closed { return [] }
                let due = Self.takeDue(&schedule, now: .now)
                if !due.isEmpty { return due }
                // A new first entry moves the deadline: leave the wait to compute it again.
                return schedule.entries.min?.instant == deadline ? nil : []
            }
            if closed { return nil }
            if let due, !due.isEmpty { return due }
        }
    }

    /// - Returns: when the next closure is due, nil when none is scheduled.
    private static func dropCancelled(_ schedule: inout Schedule) -> MonotonicInstant? {
        while let first = schedule.entries.min, schedule.actions[first.token] == nil {
            schedule.entries.removeMin()
        }
        return schedule.entries.min?.instant
    }

    private static func takeDue(
        _ schedule: inout Schedule, now: MonotonicInstant
    ) -> [@Sendable () -> Void] {
        var due: [@Sendable () -> Void] = []
        while let first = schedule.entries.min, first.instant <= now {
            schedule.entries.removeMin()
            if let action = schedule.actions.removeValue(forKey: first.token) { due.append(action) }
        }
        return due
    }
}
