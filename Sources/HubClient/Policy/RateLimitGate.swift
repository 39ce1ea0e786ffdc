package import Platform

/// Keeps this process within the Hub's quotas.
///
/// The Hub counts requests in fixed windows, apart for each class, and says with every answer how
/// many are left. Prefetch may use half of what was left when the window was first seen; the
/// rest belongs to demand. Pure: instants are given.
///
/// Source: headers `RateLimit: "api";r=<remaining>;t=<seconds to reset>`.
package struct RateLimitGate: Sendable {
    /// The Hub's own names of its classes.
    package enum Class: String, Hashable, Sendable, CaseIterable {
        /// Everything below /api.
        case api
        /// resolve URLs.
        case resolvers
    }

    package enum Admission: Hashable, Sendable {
        case go
        /// Ask again then.
        case wait(until: MonotonicInstant)
        /// Not within the caller's deadline, or the quota is kept for demand.
        case refuse(secondsToReset: Double)
    }

    private struct Window {
        /// Our count, corrected by the Hub's.
        var remaining: UInt64
        /// `remaining` when this window was first seen.
        let firstRemaining: UInt64
        let resetAt: MonotonicInstant
    }

    private var windows: [Class: Window] = [:]

    package init() {}

    /// Asks for one request, and counts it if it may go.
    ///
    /// - Parameter deadline: When the answer is of no use any more.
    package mutating func admit(
        _ kind: Class, _ priority: FetchPriority, now: MonotonicInstant,
        deadline: MonotonicInstant
    ) -> Admission {
        guard var window = windows[kind], now < window.resetAt else {
            windows[kind] = nil
            return .go
        }
        let secondsToReset = window.resetAt.seconds(since: now)
        let kept = priority == .demand ? 0 : window.firstRemaining / 2
        if window.remaining > kept {
            window.remaining -= 1
            windows[kind] = window
            return .go
        }
        // A prefetch that waited would hold up the demand that joins it: it fails at once.
        guard priority == .demand, window.resetAt < deadline else {
            return .refuse(secondsToReset: secondsToReset)
        }
        return .wait(until: window.resetAt)
    }

    /// Learns from an answer.
    ///
    /// Answers overtake each other, so within a window only a smaller count is believed.
    package mutating func learn(_ limit: RateLimit, now: MonotonicInstant) {
        guard let kind = Class(rawValue: limit.name), limit.secondsToReset > 0 else { return }
        let resetAt = now.advanced(bySeconds: limit.secondsToReset)
        // Seconds are rounded and answers travel: two seconds apart is the same window.
        if var window = windows[kind], now < window.resetAt,
            abs(resetAt.seconds(since: window.resetAt)) <= 2
        {
            window.remaining = min(window.remaining, limit.remaining)
            windows[kind] = window
        } else {
            windows[kind] = Window(
                remaining: limit.remaining, firstRemaining: limit.remaining, resetAt: resetAt)
        }
    }

    /// What is left of a window.
    package struct Rest: Hashable, Sendable {
        /// Requests.
        package let remaining: UInt64
        package let secondsToReset: Double
    }

    /// What is left in each window that still lasts, as the Hub said last, less what was asked since.
    package func rests(now: MonotonicInstant) -> [Class: Rest] {
        windows.compactMapValues { window in
            guard now < window.resetAt else { return nil }
            return Rest(
                remaining: window.remaining, secondsToReset: window.resetAt.seconds(since: now))
        }
    }

    /// A 429: nothing is left until then, whatever was counted.
    package mutating func exhausted(_ kind: Class, seconds: Double, now: MonotonicInstant) {
        windows[kind] = Window(
            remaining: 0, firstRemaining: windows[kind]?.firstRemaining ?? 0,
            resetAt: now.advanced(bySeconds: seconds))
    }
}

/// What a `RateLimit` header says: `"resolvers";r=2999;t=120`.
package struct RateLimit: Hashable, Sendable {
    package let name: String
    package let remaining: UInt64
    package let secondsToReset: Double

    /// - Returns: nil when the header lacks one of the three.
    package init?(_ header: String) {
        let parts = header.split(separator: ";").map { part in part.filter { $0 != " " } }
        guard let name = parts.first?.filter({ $0 != "\"" }), !name.isEmpty else { return nil }
        var values: [Substring: Substring] = [:]
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { values[pair[0]] = pair[1] }
        }
        guard let remaining = values["r"].flatMap({ UInt64($0) }),
            let seconds = values["t"].flatMap({ Double($0) }), seconds >= 0, seconds < 86400
        else { return nil }
        self.name = name
        self.remaining = remaining
        secondsToReset = seconds
    }
}
