package import HTTPTransport
import Logging
package import Platform

/// The Hub by question and answer: revisions, listings, contents by range.
///
/// Every call returns at once; its callback comes on a transfer thread, within the read time-out.
/// Retries, the rate limit, redirects and the token are settled here: above, an error is final.
package final class HubClient: Sendable {
    package let configuration: HubConfiguration
    package let counters = HubCounters()
    let transport: HTTPTransport
    let timers: TimerQueue
    /// nil when the configured endpoint is no URL: every question then ends with `.malformed`.
    let routes: HubRoutes?
    let operations: Operations
    let locations = LocationCache()
    let bucketStates = BucketStates()
    let uploadSlots = UploadSlots(count: 4)
    private let gate = Guarded(RateLimitGate(), rank: .gate)

    /// - Parameters:
    ///   - transport: Shut it down after `close`.
    ///   - timers: Close it after `close`.
    package init(configuration: HubConfiguration, transport: HTTPTransport, timers: TimerQueue) {
        self.configuration = configuration
        self.transport = transport
        self.timers = timers
        routes = HubRoutes(endpoint: configuration.endpoint)
        operations = Operations(timers: timers)
    }

    /// Ends every question with `.cancelled` and refuses new ones.
    package func close() { operations.close() }

    /// Headers for one request to `url`. The token goes to the endpoint's own origin and nowhere
    /// else, whatever redirect led there.
    ///
    /// - Parameter sendsToken: False for a signed URL, which needs none.
    func headers(
        for url: WebURL, sendsToken: Bool = true
    ) -> [(name: String, value: String)] {
        var headers = [(name: "User-Agent", value: configuration.userAgent)]
        if sendsToken, routes?.isOurs(url) == true, let token = configuration.token.token {
            headers.append(("Authorization", "Bearer \(token.secret)"))
        }
        return headers
    }

    /// The time-outs of one try.
    ///
    /// - Parameter isStream: Progress alone bounds a stream; an answer also has an end.
    func bounds(isStream: Bool) -> HTTPBounds {
        let timeouts = configuration.timeouts
        // A third, so that a read with a short time-out has another try as well.
        let stallSeconds = min(timeouts.stallSeconds, timeouts.readSeconds / 3)
        return HTTPBounds(
            connectSeconds: min(timeouts.connectSeconds, timeouts.readSeconds),
            stallSeconds: stallSeconds,
            totalSeconds: isStream ? nil : min(timeouts.answerSeconds, timeouts.readSeconds),
            queueSeconds: timeouts.readSeconds)
    }

    /// The time-outs of one try of something that is written.
    var writeBounds: HTTPBounds {
        let timeouts = configuration.timeouts
        return HTTPBounds(
            connectSeconds: min(timeouts.connectSeconds, timeouts.writeSeconds),
            stallSeconds: timeouts.writeStallSeconds * configuration.waitFactor, totalSeconds: nil,
            queueSeconds: timeouts.writeSeconds)
    }

    /// Asks the rate-limit gate for one request. Locks: takes gate.
    func admit(
        _ kind: RateLimitGate.Class, _ priority: FetchPriority, deadline: MonotonicInstant
    ) -> RateLimitGate.Admission {
        gate.withLock { $0.admit(kind, priority, now: .now, deadline: deadline) }
    }

    /// What the Hub still allows, as far as it has said so. Locks: takes gate.
    package var rateLimits: [RateLimitGate.Class: RateLimitGate.Rest] {
        gate.withLock { $0.rests(now: .now) }
    }

    /// Requests under way, those that wait for a connection included. Locks: takes transport.
    package var requestCount: Int { transport.requestCount }

    /// Takes the rate limit from an answer of the Hub's own. Locks: takes gate.
    func learnRateLimit(_ head: HTTPHead, _ kind: RateLimitGate.Class) {
        let now = MonotonicInstant.now
        gate.withLock { gate in
            if let limit = head.rateLimit { gate.learn(limit, now: now) }
            if head.status == 429, let seconds = head.askedSeconds {
                gate.exhausted(kind, seconds: seconds, now: now)
            }
        }
    }

    /// Runs `job` on a transfer thread, where callbacks belong; after the transport's end, here.
    func runOnTransferThread(_ job: @escaping @Sendable () -> Void) {
        if !transport.run(job) { job() }
    }

    func logRetry(_ url: WebURL, _ reason: HubError, seconds: Double) {
        counters.countRetry()
        configuration.logger.debug(
            "asking again",
            metadata: [
                "url": "\(url.withoutQuery)", "seconds": "\(seconds)", "reason": "\(reason)",
            ])
    }
}

extension HubError {
    /// Refused by our own gate, before the Hub had to.
    static func quotaSpent(url: WebURL, secondsToReset: Double) -> HubError {
        .rateLimited(
            Refusal(
                status: 429,
                message: "this window's quota is used up for \(Int(secondsToReset)) s more",
                requestID: "", url: url.withoutQuery))
    }
}
