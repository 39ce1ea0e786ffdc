/// Decides whether, and when, a failed request is sent again. The only place that does.
///
/// Time without progress is what counts: a transfer that moves may fail any number of times. A value
/// without clock or lock; the shell tells it the time in seconds on any steady scale.
package struct RetryPolicy: Sendable {
    /// What went wrong.
    package enum Failure: Sendable {
        /// 408, 429 or 5xx, with the seconds the server asks us to wait.
        case busy(retryAfterSeconds: Double?)
        /// No connection, a lost one, or one that stands still.
        case transport
        /// An answer that is not what was asked for; asking again rarely helps.
        case malformed
    }

    package enum Action: Hashable, Sendable {
        case retry(afterSeconds: Double)
        case giveUp
    }

    /// First waits are short, because most failures are single; the last repeats.
    private static let waitSeconds = [0.1, 0.5, 1, 2, 4, 8]
    private static let malformedCountMax = 3

    private let limitSeconds: Double
    private var lastProgressSeconds: Double
    private var failureCount = 0
    private var malformedCount = 0

    /// - Parameter limitSeconds: Longest time without progress; nothing is retried beyond it.
    package init(limitSeconds: Double, nowSeconds: Double) {
        self.limitSeconds = limitSeconds
        lastProgressSeconds = nowSeconds
    }

    /// New bytes have arrived.
    package mutating func progress(nowSeconds: Double) {
        lastProgressSeconds = nowSeconds
        failureCount = 0
    }

    package mutating func failure(_ failure: Failure, nowSeconds: Double) -> Action {
        var wait = Self.waitSeconds[min(failureCount, Self.waitSeconds.count - 1)]
        failureCount += 1
        switch failure {
        case .busy(let asked):
            // The server counts whole seconds: a little more, or the first try comes too early.
            if let asked { wait = max(wait, asked + 0.1) }
        case .transport: break
        case .malformed:
            malformedCount += 1
            if malformedCount >= Self.malformedCountMax { return .giveUp }
        }
        let fits = nowSeconds + wait < lastProgressSeconds + limitSeconds
        return fits ? .retry(afterSeconds: wait) : .giveUp
    }
}
