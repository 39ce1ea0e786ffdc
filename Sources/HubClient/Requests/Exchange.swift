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
        var kind: RateLimitGate.Class
        var counter: HubCounters.Class
        var priority: FetchPriority
        var headers: [(name: String, value: String)] = []
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
        let policy = RetryPolicy(limits: client.configuration.retryLimits, now: .now)
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
        guard client.routes?.isOurs(question.url) == true else { return send(question) }
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
            url: question.url.text, headers: client.headers(for: question.url) + question.headers,
            lane: .small, isUrgent: question.priority == .demand,
            bounds: client.bounds(isStream: false))
        client.counters.countRequest(question.counter)
        let transfer = client.transport.collect(
            request, bodyByteCountMax: question.bodyByteCountMax,
            wantsBody: { question.wantsBody || !(200..<300).contains($0.status) },
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
        guard state.withLock({ $0.attempt == attempt && $0.completion != nil }) else { return }
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
        if client.routes?.isOurs(question.url) == true {
            client.learnRateLimit(response.head, question.kind)
        }
        if (200..<300).contains(response.head.status) {
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
        guard let next = response.head["location"].flatMap({ question.url.resolving($0) }) else {
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
        if case .failure(let error) = result { client.counters.note(error) }
        client.runOnTransferThread { completion(result) }
    }
}
