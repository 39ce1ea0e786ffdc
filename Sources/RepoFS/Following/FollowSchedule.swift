/// Decides when a followed branch is asked for again. Pure.
///
/// Every interval while there are answers. Without one the waits double, so that a machine without a
/// network, or a Hub that is ill, is left alone, but never for longer than five minutes (or the
/// interval, if that is longer).
struct FollowSchedule {
    let intervalSeconds: Double
    private var failureCount = 0

    private static let failureSecondsMax = 300.0
    private static let doublingCountMax = 5

    init(intervalSeconds: Double) { self.intervalSeconds = intervalSeconds }

    /// - Returns: seconds until the next question.
    mutating func answered() -> Double {
        failureCount = 0
        return intervalSeconds
    }

    /// - Returns: seconds until the next question.
    mutating func failed() -> Double {
        failureCount = min(failureCount + 1, Self.doublingCountMax)
        let seconds = intervalSeconds * Double(1 << failureCount)
        return min(seconds, max(intervalSeconds, Self.failureSecondsMax))
    }
}
