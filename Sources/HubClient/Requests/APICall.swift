import HTTPTransport
import Platform

/// One question to the Hub's API whose answer is small: asked, redirected and repeated until it is
/// answered or the policy gives up.
///
/// `@unchecked Sendable`: the steps follow each other, each started by the one before; no two run
/// at the same time.
final class APICall: @unchecked Sendable {
    typealias Completion = @Sendable (Result<HTTPResponse, HubError>) -> Void

    private static let redirectCountMax = 5
    /// A page of 1000 tree entries is well below 1 MB.
    private static let bodyBytesMax = 64 << 20

    private let client: HubClient
    private let kind: RateLimitGate.Class
    private let priority: FetchPriority
    private let completion: Completion
    private var request: HTTPRequest
    private var policy: RetryPolicy
    private var redirectCount = 0

    init(
        _ client: HubClient, _ request: HTTPRequest, kind: RateLimitGate.Class = .api,
        priority: FetchPriority, completion: @escaping Completion
    ) {
        self.client = client
        self.request = request
        self.kind = kind
        self.priority = priority
        self.completion = completion
        policy = RetryPolicy(
            limitSeconds: client.configuration.readTimeoutSeconds, nowSeconds: client.nowSeconds())
    }

    func start() {
        if client.configuration.isOffline { return completion(.failure(.offline)) }
        client.admitted(
            kind, priority, limitSeconds: client.configuration.readTimeoutSeconds,
            url: request.loggableURL, refuse: { fail($0) }, send: { self.send() })
    }

    private func send() {
        var request = request
        request.headers += client.headers(for: request.url)
        request.urgency = priority == .demand ? .demand : .prefetch
        request.connectTimeoutSeconds = client.configuration.connectTimeoutSeconds
        request.stallTimeoutSeconds = client.configuration.stallSeconds
        client.counters.countRequest(kind == .api ? .api : .resolve)
        client.transport.collect(request, bodyBytesMax: Self.bodyBytesMax) { result in
            self.take(result)
        }
    }

    private func take(_ result: Result<HTTPResponse, HTTPTransportError>) {
        switch result {
        case .success(let response):
            client.counters.countBytes(response.body.count, kind == .api ? .api : .resolve)
            client.learn(kind, from: response.head)
            take(response)
        case .failure(.cancelled): fail(.cancelled)
        case .failure(let error):
            retry(.transport, orFail: error.hubError(url: request.loggableURL))
        }
    }

    private func take(_ response: HTTPResponse) {
        let head = response.head
        if head.isBusy {
            return retry(
                .busy(retryAfterSeconds: head.retryAfterSeconds), orFail: error(response))
        }
        if kind == .api, head.isRedirect, let location = head["location"],
            let target = client.urls.absolute(location, from: request.url)
        {
            redirectCount += 1
            guard redirectCount <= Self.redirectCountMax else {
                return fail(.malformed(url: request.loggableURL, reason: "too many redirects"))
            }
            request.url = target
            return start()
        }
        if head.status >= 400 { return fail(error(response)) }
        completion(.success(response))
    }

    private func retry(_ failure: RetryPolicy.Failure, orFail error: HubError) {
        switch policy.failure(failure, nowSeconds: client.nowSeconds()) {
        case .giveUp: fail(error)
        case .retry(let seconds):
            client.counters.countRetry()
            client.timers.schedule(afterSeconds: seconds) { self.start() }
        }
    }

    private func error(_ response: HTTPResponse) -> HubError {
        HubError(
            status: response.head.status, head: response.head, body: response.body,
            url: request.loggableURL)
    }

    private func fail(_ error: HubError) {
        client.counters.note(error)
        completion(.failure(error))
    }
}

extension HubClient {
    /// Asks the API for JSON.
    func json(
        _ url: String, priority: FetchPriority = .demand,
        completion: @escaping @Sendable (Result<(JSON, HTTPResponseHead), HubError>) -> Void
    ) {
        let request = HTTPRequest(url: url)
        APICall(self, request, priority: priority) { [counters] result in
            completion(
                result.flatMap { response in
                    if let json = JSON(response.body) { return .success((json, response.head)) }
                    let error = HubError.malformed(
                        url: request.loggableURL, reason: "the answer is no JSON")
                    counters.note(error)
                    return .failure(error)
                })
        }.start()
    }
}
