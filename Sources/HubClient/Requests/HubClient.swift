package import HTTPTransport
package import Platform

/// The Hub by question and answer: revisions, listings, and contents by range.
///
/// Every call returns at once and answers through a callback, on a transfer or timer thread, within
/// the read time-out. Retries, the rate limit, redirects and credentials are settled here; above, an
/// error is final.
package final class HubClient: Sendable {
    package let configuration: HubConfiguration
    package let counters = HubCounters()
    let transport: HTTPTransport
    let timers: TimerQueue
    let urls: HubURLs
    let gate = Guarded(RateLimitGate(), rank: .gate)
    let locations = Guarded(ContentURLs(), rank: .hub)

    package init(configuration: HubConfiguration, transport: HTTPTransport, timers: TimerQueue) {
        self.configuration = configuration
        self.transport = transport
        self.timers = timers
        urls = HubURLs(endpoint: configuration.endpoint)
    }

    /// Headers for a URL: the token goes to the endpoint's own origin and nowhere else.
    func headers(for url: String) -> [(name: String, value: String)] {
        var headers = [(name: "User-Agent", value: configuration.userAgent)]
        if urls.isOurs(url), let token = configuration.token.token {
            headers.append(("Authorization", "Bearer \(token.secret)"))
        }
        return headers
    }

    /// Asks the gate for one request, and runs `send` when it may go, now or later.
    ///
    /// - Parameters:
    ///   - limitSeconds: A longer wait ends with `refuse`.
    ///   - refuse: Runs instead of `send`, with the error to answer.
    func admitted(
        _ kind: RateLimitGate.Class, _ priority: FetchPriority, limitSeconds: Double, url: String,
        refuse: @Sendable (HubError) -> Void, send: @escaping @Sendable () -> Void
    ) {
        switch gate.withLock({ $0.admit(kind, priority, nowSeconds: nowSeconds()) }) {
        case .now: send()
        case .wait(let seconds) where seconds < limitSeconds:
            timers.schedule(afterSeconds: seconds + 0.05, send)
        case .wait, .refused:
            refuse(
                .rateLimited(
                    HubError.Refusal(
                        status: 429, message: "the quota for this window is used up",
                        requestID: "", url: url)))
        }
    }

    /// Takes the rate limit from an answer of the Hub's.
    func learn(_ kind: RateLimitGate.Class, from head: HTTPResponseHead) {
        guard let header = head["ratelimit"] else { return }
        gate.withLock { $0.learn(kind, rateLimit: header, nowSeconds: nowSeconds()) }
    }

    func nowSeconds() -> Double {
        Double(MonotonicInstant.now.nanoseconds) / 1e9
    }
}

extension HTTPResponseHead {
    /// How long a busy server asks us to wait, in seconds.
    var retryAfterSeconds: Double? {
        if status == 429, let limit = self["ratelimit"],
            let seconds = RateLimitGate.resetSeconds(rateLimit: limit)
        {
            return seconds
        }
        return self["retry-after"].flatMap { Double($0) }
    }

    /// True for the statuses that another try may change.
    var isBusy: Bool { [408, 429, 500, 502, 503, 504].contains(status) }

    var isRedirect: Bool { [301, 302, 303, 307, 308].contains(status) }
}

extension HTTPTransportError {
    /// The error a caller of the Hub gets when no retry is left.
    func hubError(url: String) -> HubError {
        switch self {
        case .unknownHost(let reason), .noConnection(let reason), .tls(let reason),
            .connectionLost(let reason):
            .unreachable(url: url, reason: reason)
        case .stalled: .unreachable(url: url, reason: "no progress")
        case .cancelled: .cancelled
        case .bodyTooLarge(let limit):
            .malformed(url: url, reason: "the answer is larger than \(limit) bytes")
        case .protocolError(let reason): .malformed(url: url, reason: reason)
        }
    }
}
