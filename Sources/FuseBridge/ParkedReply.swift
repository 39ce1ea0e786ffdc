import Platform
package import SystemPackage

/// A request that waits for something: shared by whoever may answer it first.
///
/// The fetch that brings the bytes, the time-out, an interrupt and shutdown all hold the same
/// object; the first to call `take` answers, the others find it taken. When the last of them
/// lets go without an answer, the request ends with EIO.
package final class ParkedReply<Kind>: Sendable {
    private struct State {
        var isTaken = false
        var wasInterrupted = false
        /// Stops the work nobody waits for any more.
        var cancel: (@Sendable () -> Void)?
    }

    private let request: RequestID
    private let channel: any ReplyChannel
    private let numbers: PartNumbers
    private let state = Guarded(State(), rank: .leaf)

    init(request: RequestID, channel: any ReplyChannel, numbers: PartNumbers) {
        self.request = request
        self.channel = channel
        self.numbers = numbers
        // Armed before anybody else can answer: afterwards the request may be gone.
        channel.armInterrupt(of: request) { [weak self] in self?.interrupt() }
    }

    deinit {
        // A reply that is dropped answers by itself.
        _ = take()
    }

    /// The right to answer, given to the first who asks.
    ///
    /// - Returns: nil when the request has been answered.
    package func take() -> Reply<Kind>? {
        let isFirst = state.withLock { state in
            defer { state.isTaken = true }
            return !state.isTaken
        }
        guard isFirst else { return nil }
        channel.disarmInterrupt(of: request)
        return Reply(request: request, channel: channel, numbers: numbers)
    }

    /// Ends the call with an error unless it has been answered.
    package func fail(_ error: Errno) {
        if let reply = take() { reply.fail(error) }
    }

    /// Runs `cancel` if the caller is interrupted, now or later. Call at most once.
    package func onInterrupt(_ cancel: @escaping @Sendable () -> Void) {
        let isTooLate = state.withLock { state in
            if !state.isTaken { state.cancel = cancel }
            return state.wasInterrupted
        }
        if isTooLate { cancel() }
    }

    private func interrupt() {
        let cancel = state.withLock { state in
            state.wasInterrupted = true
            return state.cancel
        }
        fail(.interrupted)
        cancel?()
    }
}
