package import Platform

/// Decides whether and when a failed request is sent again: the only place that retries.
///
/// Waits grow like the official client's (1, 2, 4, 8, 8 s) after one quick try, because most
/// failures on a busy network are a single broken connection. Bytes that arrive start the waits and
/// the clock anew. Everything ends: after `secondsWithoutProgressMax` without a byte, after the
/// last wait, and after `failureCountMax` failures in all. Pure: instants are given.
package struct RetryPolicy: Sendable {
    package struct Limits: Hashable, Sendable {
        /// What a reader may wait without a byte. Seconds.
        package var secondsWithoutProgressMax = 30.0
        /// Before the first, second, … try after a failure without progress in between. Seconds.
        package var waits = [0.1, 1, 2, 4, 8, 8]
        /// Failures over the whole request, however much progress lies between them.
        package var failureCountMax = 64
        /// Answers that break the protocol: a second one is not chance.
        package var malformedCountMax = 1

        package init() {}
    }

    package enum Failure: Hashable, Sendable {
        /// 408, 429 or 5xx; the wait the server asked for, if it did. Seconds.
        case busy(askedSeconds: Double?)
        /// No connection, a broken one, or a stall.
        case connection
        /// An answer that is not the one asked for.
        case malformed
    }

    package enum Action: Hashable, Sendable {
        case retry(afterSeconds: Double)
        case giveUp
    }

    private let limits: Limits
    private var waitIndex = 0
    private var failureCount = 0
    private var malformedCount = 0
    /// When the request ends if no byte arrives.
    package private(set) var deadline: MonotonicInstant

    package init(limits: Limits = Limits(), now: MonotonicInstant) {
        self.limits = limits
        deadline = now.advanced(bySeconds: limits.secondsWithoutProgressMax)
    }

    /// Bytes of the content have arrived.
    package mutating func progressed(now: MonotonicInstant) {
        waitIndex = 0
        deadline = now.advanced(bySeconds: limits.secondsWithoutProgressMax)
    }

    /// Bytes have been sent: the clock starts anew. The waits do not, because a body that breaks
    /// off is sent from its beginning, and must not be so for ever.
    package mutating func extended(now: MonotonicInstant) {
        deadline = now.advanced(bySeconds: limits.secondsWithoutProgressMax)
    }

    /// A try has failed.
    package mutating func failed(_ failure: Failure, now: MonotonicInstant) -> Action {
        failureCount += 1
        if failure == .malformed { malformedCount += 1 }
        guard failureCount <= limits.failureCountMax, waitIndex < limits.waits.count,
            malformedCount <= limits.malformedCountMax
        else { return .giveUp }
        var wait = limits.waits[waitIndex]
        if case .busy(let asked?) = failure { wait = max(wait, asked) }
        waitIndex += 1
        guard now.advanced(bySeconds: wait) < deadline else { return .giveUp }
        return .retry(afterSeconds: wait)
    }
}
