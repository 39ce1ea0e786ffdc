import Platform

/// How many parts are on their way at once, over all uploads: first come, first served.
///
/// The line itself is not bounded here: an upload stands in it with no more requests than there
/// are slots.
final class UploadSlots: Sendable {
    private struct State {
        var freeCount: Int
        var waiting: [@Sendable () -> Void] = []
        /// A thread is giving slots away; what becomes free meanwhile it gives away too.
        var isServing = false
    }

    let count: Int
    private let state: Guarded<State>

    init(count: Int) {
        self.count = count
        state = Guarded(State(freeCount: count))
    }

    /// Runs `job` once there is a slot for it, perhaps before this returns. The job, or what it
    /// starts, gives the slot back with `release`.
    func take(_ job: @escaping @Sendable () -> Void) {
        state.withLock { $0.waiting.append(job) }
        serve()
    }

    func release() {
        state.withLock { $0.freeCount += 1 }
        serve()
    }

    /// In a loop instead of one job starting the next: they may all fail at once.
    private func serve() {
        guard
            state.withLock({ state in
                defer { state.isServing = true }
                return !state.isServing
            })
        else { return }
        while let job = next() { job() }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard state.freeCount > 0, !state.waiting.isEmpty else {
                state.isServing = false
                return nil
            }
            state.freeCount -= 1
            return state.waiting.removeFirst()
        }
    }
}
