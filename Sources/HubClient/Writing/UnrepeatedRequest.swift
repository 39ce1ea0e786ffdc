import HTTPTransport
import Platform

/// Why a request that must not be sent twice has no good answer.
package enum WriteFailure: Error, Hashable, Sendable {
    /// Nothing of it has reached the Hub: it may be sent again.
    case notSent(HubError)
    /// The Hub said no, and has changed nothing.
    case refused(HubError)
    /// The answer is lost, or says that the Hub itself does not know: it may have been done.
    case unknown(HubError)
}

extension HubClient {
    /// Sends a POST at most once.
    ///
    /// - Parameter progress: Bytes of the body sent. Called on a transfer thread.
    /// - Returns: nil when there is nothing to ask; `completion` is called all the same.
    @discardableResult
    func sendOnce(
        _ url: WebURL?, contentType: String, body: HTTPRequestBody,
        progress: @escaping @Sendable (UInt64) -> Void = { _ in },
        completion: @escaping @Sendable (UnrepeatedRequest.Ending) -> Void
    ) -> UnrepeatedRequest? {
        guard let url else {
            runOnTransferThread { [self] in completion(.notSent(noEndpoint)) }
            return nil
        }
        let question = UnrepeatedRequest.Question(
            url: url, contentType: contentType, body: body, progress: progress)
        let request = UnrepeatedRequest(self, question, completion: completion)
        request.start()
        return request
    }
}

/// A POST that is sent at most once, because doing it twice is not doing it once.
///
///     start ──> [gate] ──> sent ──> answered ──> ended
///                 ^          │ moved to another name: nothing was done yet
///                 └──────────┘
///
/// Ends only when the transport has let go of the body.
final class UnrepeatedRequest: TimedOperation, Sending {
    struct Question: Sendable {
        var url: WebURL
        var contentType: String
        var body: HTTPRequestBody
        /// Bytes of the body sent so far.
        var progress: @Sendable (UInt64) -> Void
    }

    enum Ending: Sendable {
        /// Any status but a redirect that was followed.
        case answered(HTTPResponse, WebURL)
        case notSent(HubError)
        case unanswered(HubError)
    }

    private struct State {
        var url: WebURL
        var redirectCount = 0
        /// Without a byte sent or an answer.
        var deadline: MonotonicInstant
        /// The connection stood: from then on the Hub may have read everything.
        var hasBegun = false
        var isTransferring = false
        var transfer: HTTPTransfer?
        /// Set by cancel and time-out for the transfer under way to end with.
        var ending: HubError?
        var countedByteCount: UInt64 = 0
        /// Taken by whoever ends the request.
        var completion: (@Sendable (Ending) -> Void)?
    }

    private let client: HubClient
    private let question: Question
    private let state: Guarded<State>

    private static let redirectCountMax = 5
    private static let answerByteCountMax = 1 << 20

    init(
        _ client: HubClient, _ question: Question,
        completion: @escaping @Sendable (Ending) -> Void
    ) {
        self.client = client
        self.question = question
        let deadline = MonotonicInstant.now.advanced(
            bySeconds: client.configuration.timeouts.writeSeconds)
        state = Guarded(
            State(url: question.url, deadline: deadline, completion: completion), rank: .hub)
    }

    func start() {
        guard !client.configuration.isOffline else { return endSoon(.offline) }
        guard client.operations.add(self) else { return endSoon(.cancelled) }
        askGate()
    }

    func cancel() { endSoon(.cancelled) }

    func endIfOverdue(now: MonotonicInstant) {
        let (deadline, url) = state.withLock { ($0.deadline, $0.url) }
        guard deadline <= now else { return }
        endSoon(.unreachable(url: url.withoutQuery, reason: "no answer in time"))
    }

    private func askGate() {
        let (url, deadline) = state.withLock { ($0.url, $0.deadline) }
        switch client.admit(.api, .demand, deadline: deadline) {
        case .go: send(to: url)
        case .wait(let instant):
            client.timers.schedule(at: instant) { [weak self] in
                guard let self else { return }
                self.client.runOnTransferThread { self.askGate() }
            }
        case .refuse(let seconds): endSoon(.quotaSpent(url: url, secondsToReset: seconds))
        }
    }

    private func send(to url: WebURL) {
        let mayBegin = state.withLock { state in
            guard state.ending == nil, state.completion != nil else { return false }
            state.isTransferring = true
            state.hasBegun = false
            state.countedByteCount = 0
            return true
        }
        guard mayBegin else { return }
        let request = HTTPRequest(
            method: .post, url: url.text,
            headers: client.headers(for: url) + [("Content-Type", question.contentType)],
            body: question.body, lane: .upload, isSentOnce: true, bounds: client.writeBounds)
        client.counters.countRequest(.api)
        let transfer = client.transport.collect(
            request, bodyByteCountMax: Self.answerByteCountMax,
            begun: { [self] in state.withLock { $0.hasBegun = true } },
            sent: { [self] byteCount in sent(byteCount) },
            completion: { [self] result in ended(result, at: url) })
        let isUnwanted = state.withLock { state in
            guard state.isTransferring, state.url == url else { return false }
            state.transfer = transfer
            return state.ending != nil
        }
        if isUnwanted { transfer.cancel() }
    }

    private func sent(_ byteCount: UInt64) {
        let seconds = client.configuration.timeouts.writeSeconds
        let newByteCount: UInt64 = state.withLock { state in
            state.deadline = .now.advanced(bySeconds: seconds)
            defer { state.countedByteCount = byteCount }
            return byteCount > state.countedByteCount ? byteCount - state.countedByteCount : 0
        }
        client.counters.countBytesSent(newByteCount, .api)
        question.progress(byteCount)
    }

    private func ended(_ result: Result<HTTPResponse, HTTPTransportError>, at url: WebURL) {
        let (ending, hasBegun) = state.withLock { state in
            state.isTransferring = false
            state.transfer = nil
            return (state.ending, state.hasBegun)
        }
        switch result {
        case .success(let response):
            client.counters.countBytes(response.body.count, .api)
            client.learnRateLimit(response.head, .api)
            if let next = redirectTarget(response, from: url), ending == nil {
                state.withLock { $0.url = next }
                return askGate()
            }
            end(.answered(response, url))
        case .failure(let error):
            let failure = ending ?? HubError(error, url: url)
            switch error {
            // The Hub waits for bytes that do not come: it cannot have acted on them.
            case .unreadableBody: end(.notSent(failure))
            default: end(hasBegun ? .unanswered(failure) : .notSent(failure))
            }
        }
    }

    /// Where a repo that was renamed is now: method and body stay, and so does the Hub.
    private func redirectTarget(_ response: HTTPResponse, from url: WebURL) -> WebURL? {
        guard [307, 308].contains(response.head.status),
            let next = response.head["location"].flatMap({ url.resolving($0) }),
            client.routes?.isOurs(next) == true
        else { return nil }
        return state.withLock { state in
            state.redirectCount += 1
            return state.redirectCount <= Self.redirectCountMax ? next : nil
        }
    }

    /// Ends from outside of a transfer: now if none is under way, else through it.
    private func endSoon(_ error: HubError) {
        let (endsHere, transfer) = state.withLock { state in
            if state.ending == nil { state.ending = error }
            return (!state.isTransferring, state.transfer)
        }
        transfer?.cancel()
        if endsHere { end(.notSent(error)) }
    }

    /// The first call counts.
    private func end(_ ending: Ending) {
        guard let completion = state.withLock({ $0.completion.take() }) else { return }
        client.operations.remove(self)
        switch ending {
        case .answered: break
        case .notSent(let error), .unanswered(let error): client.counters.note(error)
        }
        client.runOnTransferThread { completion(ending) }
    }
}

extension UnrepeatedRequest.Ending {
    /// What a request has come to, once a good answer has been read from it.
    ///
    /// - Parameter read: nil when a 2xx does not say what it must: then it was probably done.
    func outcome<Value>(_ read: (JSON) -> Value?) -> Result<Value, WriteFailure> {
        switch self {
        case .notSent(let error): .failure(.notSent(error))
        case .unanswered(let error): .failure(.unknown(error))
        case .answered(let response, let url):
            Self.outcome(response, url, read)
        }
    }

    private static func outcome<Value>(
        _ response: HTTPResponse, _ url: WebURL, _ read: (JSON) -> Value?
    ) -> Result<Value, WriteFailure> {
        let status = response.head.status
        if (200..<300).contains(status) {
            if let value = JSON(response.body).flatMap(read) { return .success(value) }
            let reason = "the Hub says it is done, but not what"
            return .failure(.unknown(.malformed(url: url.withoutQuery, reason: reason)))
        }
        let error = HubError(response, url: url, asksForRepo: true)
        switch status {
        // 501 and 507 are the server's own no; the other 5xx may come from a proxy that has lost
        // sight of it, as 408 may.
        case 501, 507: return .failure(.refused(error))
        case 408, 500...: return .failure(.unknown(error))
        default: return .failure(.refused(error))
        }
    }
}
