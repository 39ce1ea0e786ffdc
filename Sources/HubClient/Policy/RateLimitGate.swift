/// Keeps the process within the Hub's quota, as the Hub's own headers tell it.
///
/// The Hub counts requests in fixed windows and says with every answer what is left. Demand may use
/// all of it; prefetch stops when half of what was there when the window was first seen is used up.
/// Source: `RateLimit` and `RateLimit-Policy` headers of the Hub.
package struct RateLimitGate: Sendable {
    /// The classes the Hub counts separately.
    package enum Class: String, Hashable, Sendable, CaseIterable {
        /// Everything under /api.
        case api
        /// Resolving files.
        case resolvers
    }

    package enum Admission: Hashable, Sendable {
        case now
        /// The quota is used up until then.
        case wait(seconds: Double)
        /// A prefetch that has to leave the rest to demand.
        case refused
    }

    private struct Window {
        var remaining: Int
        var remainingAtFirst: Int
        var endSeconds: Double
    }

    private var windows: [Class: Window] = [:]

    package init() {}

    /// Asks for one request, and counts it when it is admitted.
    package mutating func admit(
        _ kind: Class, _ priority: FetchPriority, nowSeconds: Double
    ) -> Admission {
        guard var window = windows[kind], nowSeconds < window.endSeconds else {
            windows[kind] = nil
            return .now
        }
        if window.remaining <= 0 {
            return priority == .demand ? .wait(seconds: window.endSeconds - nowSeconds) : .refused
        }
        if priority == .prefetch, window.remaining * 2 <= window.remainingAtFirst {
            return .refused
        }
        window.remaining -= 1
        windows[kind] = window
        return .now
    }

    /// Takes what an answer says: `"resolvers";r=2999;t=120`.
    package mutating func learn(_ kind: Class, rateLimit header: String, nowSeconds: Double) {
        var remaining: Int?
        var seconds: Double?
        for field in header.split(separator: ";").dropFirst() {
            let text = field.drop { $0 == " " }
            if text.hasPrefix("r=") { remaining = Int(text.dropFirst(2)) }
            if text.hasPrefix("t=") { seconds = Double(text.dropFirst(2)) }
        }
        guard let remaining, let seconds, remaining >= 0, seconds >= 0 else { return }
        let end = nowSeconds + seconds
        if var window = windows[kind], nowSeconds < window.endSeconds {
            // Answers overtake each other: within one window what is left only falls.
            window.remaining = min(window.remaining, remaining)
            window.endSeconds = end
            windows[kind] = window
        } else {
            windows[kind] = Window(
                remaining: remaining, remainingAtFirst: remaining, endSeconds: end)
        }
    }

    /// Seconds until more requests are allowed, from the header of a 429; nil when it says nothing.
    package static func resetSeconds(rateLimit header: String) -> Double? {
        for field in header.split(separator: ";").dropFirst() {
            let text = field.drop { $0 == " " }
            if text.hasPrefix("t=") { return Double(text.dropFirst(2)) }
        }
        return nil
    }
}
