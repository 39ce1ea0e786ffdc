import HTTPTransport
import Platform

/// One question with a small answer: sent, retried and redirected until it is answered or its time
/// is up.
///
///     start ──> [gate] ──> sent ──> answered ──> ended
///                 ^          │  busy, broken: after a wait
///                 └──────────┘  redirected: at once
final class Exchange: TimedOperation {
    struct Question: Sendable {
        var url: WebURL
        var method = HTTPRequest.Method.get
        var kind: RateLimitGate.Class
        var counter: HubCounters.Class
        var priority: FetchPriority
        var headers: [(name: String, value: String)] = []
        /// Small, and sent again with every try: what it asks for may be done twice.
        var body: [UInt8]?
        /// Which connections it may use.
        var lane = HTTPRequest.Lane.small
        /// Part of writing, which has longer time-outs.
        var isForWriting = false
        /// Before the first, second, … further try, where others are meant than the configuration's.
        var retryWaits: [Double]?
        /// False for a signed URL.
        var sendsToken = true
        /// Whether the Hub's quota is for it, if the Hub is asked.
        var isInQuota = true
        /// Besides 2xx: statuses whose body is the answer.
        var answerStatuses: Set<Int> = []
        var bodyByteCountMax = 1 << 20
        /// False: a redirect is the answer.
        var followsRedirects = true
        /// A bare 401 means that the repo is absent or hidden.
        var asksForRepo = true
        /// False: the answer is its head; the body of a success is not received.
        var wantsBody = true
    }

    struct Answer: Sendable {
        let response: HTTPResponse
        /// What was asked in the end, after redirects.
        let url: WebURL
    }

    typealias Completion = @Sendable (Result<Answer, HubError>) -> Void

    private struct State {
        var question: Question
        var policy: RetryPolicy
        var redirectCount = 0
        var transfer: HTTPTransfer?
        /// Numbers the tries, so that a late answer to an abandoned one is recognised.
        var attempt = 0
        var lastError: HubError?
        /// Taken by whoever ends the exchange.
        var completion: Completion?
    }

    private let client: HubClient
    private let state: Guarded<State>

    private static let redirectCountMax = 5

    init(_ client: HubClient, _ question: Question, completion: @escaping Completion) {
        self.client = client
        let configuration = client.configuration
        var limits =
            question.isForWriting ? configuration.writeRetryLimits : configuration.retryLimits
        if let waits = question.retryWaits {
            limits.waits = waits.map { $0 * configuration.waitFactor }
        }
        let policy = RetryPolicy(limits: limits, now: .now)
        state = Guarded(
            State(question: question, policy: policy, completion: completion), rank: .hub)
    }

    func start() {
        guard !client.configuration.isOffline else { return end(.failure(.offline)) }
        guard client.operations.add(self) else { return end(.failure(.cancelled)) }
        askGate()
    }

    /// Somebody more urgent waits for the answer too.
    func raise(to priority: FetchPriority) {
        state.withLock { $0.question.priority = max($0.question.priority, priority) }
    }

    func cancel() { end(.failure(.cancelled)) }

    func endIfOverdue(now: MonotonicInstant) {
        let (deadline, lastError, url) = state.withLock {
            ($0.policy.deadline, $0.lastError, $0.question.url)
        }
        guard deadline <= now else { return }
        end(.failure(lastError ?? .unreachable(url: url.withoutQuery, reason: "no answer in time")))
    }

    private func askGate() {
        let (question, deadline) = state.withLock { ($0.question, $0.policy.deadline) }
        guard question.isInQuota, client.routes?.isOurs(question.url) == true else {
            return send(question)
        }
        switch client.admit(question.kind, question.priority, deadline: deadline) {
        case .go: send(question)
        case .wait(let instant): askGate(at: instant)
        case .refuse(let seconds):
            end(.failure(.quotaSpent(url: question.url, secondsToReset: seconds)))
        }
    }

    private func askGate(at instant: MonotonicInstant) {
        client.timers.schedule(at: instant) { [weak self] in
            guard let self, !self.isEnded else { return }
            self.client.runOnTransferThread { self.askGate() }
        }
    }

    private var isEnded: Bool { state.withLock { $0.completion == nil } }

    private func send(_ question: Question) {
        let attempt = state.withLock { state in
            state.attempt += 1
            return state.attempt
        }
        let request = HTTPRequest(
            method: question.method, url: question.url.text,
            headers: client.headers(for: question.url, sendsToken: question.sendsToken)
                + question.headers,
            body: question.body.map { .bytes($0) }, lane: question.lane,
            isUrgent: question.priority == .demand,
            bounds: question.isForWriting ? client.writeBounds : client.bounds(isStream: false))
        client.counters.countRequest(question.counter)
        let transfer = client.transport.collect(
            request, bodyByteCountMax: question.bodyByteCountMax,
            wantsBody: { question.wantsBody || !(200..<300).contains($0.status) },
            sent: { [self] _ in
                // A large body takes its time.
                if question.lane == .upload { state.withLock { $0.policy.extended(now: .now) } }
            },
            completion: { [self] result in answered(result, question, attempt: attempt) })
        let isStale = state.withLock { state in
            guard state.completion != nil, state.attempt == attempt else { return true }
            state.transfer = transfer
            return false
        }
        if isStale { transfer.cancel() }
    }

    private func answered(
        _ result: Result<HTTPResponse, HTTPTransportError>, _ question: Question, attempt: Int
    ) {
        let isExpected = state.withLock { state in
            guard state.attempt == attempt, state.completion != nil else { return false }
            state.transfer = nil
            return true
        }
        guard isExpected else { return }
        switch result {
        case .success(let response): answered(response, question)
        case .failure(let error):
            let failure = HubError(error, url: question.url)
            switch error {
            case .cancelled, .badURL, .bodyTooLarge: end(.failure(failure))
            case .malformed: failed(.malformed, failure, question)
            default: failed(.connection, failure, question)
            }
        }
    }

    private func answered(_ response: HTTPResponse, _ question: Question) {
        client.counters.countBytes(response.body.count, question.counter)
        if question.isInQuota, client.routes?.isOurs(question.url) == true {
            client.learnRateLimit(response.head, question.kind)
        }
        let status = response.head.status
        if (200..<300).contains(status), response.head.isEncoded {
            let reason = "the answer is encoded, which nobody asked for"
            let error = HubError.malformed(url: question.url.withoutQuery, reason: reason)
            return failed(.malformed, error, question)
        }
        if (200..<300).contains(status) || question.answerStatuses.contains(status) {
            return end(.success(Answer(response: response, url: question.url)))
        }
        if response.head.isRedirect {
            return question.followsRedirects
                ? follow(response, question)
                : end(.success(Answer(response: response, url: question.url)))
        }
        let error = HubError(response, url: question.url, asksForRepo: question.asksForRepo)
        guard response.head.isBusy else { return end(.failure(error)) }
        failed(.busy(askedSeconds: response.head.askedSeconds), error, question)
    }

    private func follow(_ response: HTTPResponse, _ question: Question) {
        guard let next = redirectTarget(response, question) else {
            return end(
                .failure(
                    .malformed(url: question.url.withoutQuery, reason: "a redirect leads nowhere")))
        }
        let isBounded = state.withLock { state in
            state.redirectCount += 1
            state.question.url = next
            return state.redirectCount <= Self.redirectCountMax
        }
        guard isBounded else {
            return end(
                .failure(.malformed(url: question.url.withoutQuery, reason: "too many redirects")))
        }
        askGate()
    }

    /// Questions without a body are followed to any server, the others within the Hub alone, and
    /// only where method and body are to stay as they are. Source: RFC 9110, 15.4.
    private func redirectTarget(_ response: HTTPResponse, _ question: Question) -> WebURL? {
        guard let next = response.head["location"].flatMap({ question.url.resolving($0) }) else {
            return nil
        }
        if question.method == .get { return next }
        let keepsMethod = [307, 308].contains(response.head.status)
        return keepsMethod && client.routes?.isOurs(next) == true ? next : nil
    }

    private func failed(
        _ failure: RetryPolicy.Failure, _ error: HubError, _ question: Question
    ) {
        let action = state.withLock { state in
            state.lastError = error
            return state.policy.failed(failure, now: .now)
        }
        switch action {
        case .giveUp: end(.failure(error))
        case .retry(let seconds):
            client.logRetry(question.url, error, seconds: seconds)
            askGate(at: .now.advanced(bySeconds: seconds))
        }
    }

    /// The first call counts.
    private func end(_ result: Result<Answer, HubError>) {
        let (completion, transfer) = state.withLock { state in
            defer {
                state.completion = nil
                state.transfer = nil
            }
            return (state.completion, state.transfer)
        }
        guard let completion else { return }
        client.operations.remove(self)
        transfer?.cancel()
        switch result {
        // An answer comes on a transfer thread anyway.
        case .success: completion(result)
        case .failure(let error):
            client.counters.note(error)
            client.runOnTransferThread { completion(result) }
        }
    }
}
