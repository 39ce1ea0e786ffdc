import Foundation
import Synchronization

/// Fixed windows of five minutes, as the Hub counts requests.
final class RateLimits: Sendable {
    /// The Hub's own names for its classes.
    enum Bucket: String, CaseIterable, Sendable {
        case api
        case resolvers
        case pages
    }

    struct Headers: Sendable {
        let limit: String
        let policy: String
        let isExceeded: Bool
        /// Until the window ends.
        let seconds: Int
    }

    static let windowSeconds = 300
    /// What is announced where nothing is enforced.
    static let announcedQuota = 1_000_000

    private struct State {
        var window = 0
        var used: [Bucket: Int] = [:]
    }

    private let quotas: [Bucket: Int]
    private let state = Mutex(State())

    /// - Parameter quotas: requests per window; classes left out are announced, never refused.
    init(quotas: [Bucket: Int]) {
        self.quotas = quotas
    }

    func count(_ bucket: Bucket, now: Date) -> Headers {
        let seconds = Int(now.timeIntervalSince1970)
        let window = seconds / Self.windowSeconds
        let used = state.withLock { state in
            if state.window != window { state = State(window: window) }
            state.used[bucket, default: 0] += 1
            return state.used[bucket, default: 0]
        }
        let quota = quotas[bucket] ?? Self.announcedQuota
        let left = Self.windowSeconds - seconds % Self.windowSeconds
        let isExceeded = quotas[bucket] != nil && used > quota
        let remaining = max(quotas[bucket] == nil ? 1 : 0, quota - used)
        return Self.headers(
            bucket, remaining: remaining, seconds: left, quota: quota, isExceeded: isExceeded)
    }

    static func headers(
        _ bucket: Bucket, remaining: Int, seconds: Int, quota: Int = announcedQuota,
        isExceeded: Bool = false
    ) -> Headers {
        Headers(
            limit: "\"\(bucket.rawValue)\";r=\(remaining);t=\(seconds)",
            policy: "\"fixed window\";\"\(bucket.rawValue)\";q=\(quota);w=\(windowSeconds)",
            isExceeded: isExceeded, seconds: seconds)
    }
}
