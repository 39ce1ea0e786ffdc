/// Where contents can be fetched from: the signed URLs that `resolve` gave out.
///
/// The Hub is asked once per content while its URL is valid, however many ranges are read.
struct ContentURLs {
    /// A URL that serves a content by range.
    struct Target: Hashable, Sendable {
        let url: String
        /// Seconds since 1970 from when on it must not be used; nil for a URL that stays valid.
        let expiresSeconds: Double?
    }

    typealias Waiter = @Sendable (Result<Target, HubError>) -> Void

    enum Answer {
        case known(Target)
        /// Somebody has asked already; the waiter will be called.
        case waiting
        /// The caller has to ask, and to report with `finish`; the waiter will be called.
        case ask
    }

    private static let knownCountMax = 50_000

    private var known: [ContentID: Target] = [:]
    private var waiters: [ContentID: [Waiter]] = [:]

    mutating func find(_ content: ContentID, nowSeconds: Double, waiter: @escaping Waiter) -> Answer
    {
        if let target = known[content], target.expiresSeconds ?? .infinity > nowSeconds {
            return .known(target)
        }
        let isFirst = waiters[content] == nil
        waiters[content, default: []].append(waiter)
        return isFirst ? .ask : .waiting
    }

    /// Takes the answer to `.ask`.
    ///
    /// - Returns: those who wait for it.
    mutating func finish(_ content: ContentID, _ result: Result<Target, HubError>) -> [Waiter] {
        if case .success(let target) = result {
            // Simple and rare: a process that has touched so many files starts anew.
            if known.count >= Self.knownCountMax { known.removeAll() }
            known[content] = target
        }
        return waiters.removeValue(forKey: content) ?? []
    }

    /// Forgets a URL that was refused, unless a newer one is known by now.
    mutating func forget(_ content: ContentID, _ target: Target) {
        if known[content] == target { known[content] = nil }
    }
}
