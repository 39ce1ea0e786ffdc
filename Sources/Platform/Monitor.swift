import Glibc

/// A lock with a condition: state that threads wait on to change.
///
/// For the few places where a thread of ours has nothing else to do: a worker's inbox, a command
/// that waits for an answer. Never for a FUSE thread.
///
/// `@unchecked Sendable`: `state` is private and every access holds `mutex`; the pthread objects
/// live at a fixed address until `deinit`.
package final class Monitor<State>: @unchecked Sendable {
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init(_ initial: State) {
        state = initial
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with exclusive access, then wakes every thread that waits.
    package func update<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Runs `body` with exclusive access, then wakes every thread that waits if `body` says so.
    package func updateWakingIfTold<Result>(
        _ body: (inout State) -> (result: Result, mustWake: Bool)
    ) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        let (result, mustWake) = body(&state)
        if mustWake { pthread_cond_broadcast(condition) }
        return result
    }

    /// Waits until `body` returns a value.
    ///
    /// - Parameters:
    ///   - deadline: When to give up; nil waits for ever.
    ///   - body: Looks at the state under the lock; nil means "not yet".
    /// - Returns: nil when the deadline passed first.
    package func wait<Result>(
        until deadline: MonotonicInstant? = nil, _ body: (inout State) -> Result?
    ) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            guard let deadline else {
                pthread_cond_wait(condition, mutex)
                continue
            }
            var time = deadline.timespec
            if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT {
                return body(&state)
            }
        }
    }
}
