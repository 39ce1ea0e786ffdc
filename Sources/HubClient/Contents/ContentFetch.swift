import HTTPTransport
import Platform

/// One range of a content on its way from the Hub to its receiver.
///
/// ```
/// start -> locate -> transfer -> finished
///             ^          |  body cut, stalled, busy: again from where it stopped
///             +----------+  URL refused: asked for anew, once
/// ```
///
/// `@unchecked Sendable`: the steps follow each other, each started by the one before; only
/// `cancellation` is shared with other threads.
final class ContentFetch: Fetch, HTTPReceiver, @unchecked Sendable {
    private struct Cancellation {
        var isCancelled = false
        var ticket: HTTPTransport.Ticket?
    }

    private let client: HubClient
    private let location: ContentLocation
    private let end: UInt64
    private let priority: FetchPriority
    private let receiver: any ContentReceiver
    private let cancellation = Guarded(Cancellation(), rank: .leaf)
    /// The next byte to deliver.
    private var offset: UInt64
    private var policy: RetryPolicy
    private var target: ContentURLs.Target?
    private var mayResolveAgain = true
    /// What is wrong with the answer under way, decided at its head.
    private var refusal: Refusal?
    /// The start of an error's body, for its message.
    private var errorBody: [UInt8] = []

    private enum Refusal {
        case status(HTTPResponseHead)
        case malformed(String)
    }

    init(
        _ client: HubClient, _ location: ContentLocation, range: Range<UInt64>,
        priority: FetchPriority, receiver: any ContentReceiver
    ) {
        self.client = client
        self.location = location
        self.priority = priority
        self.receiver = receiver
        offset = range.lowerBound
        end = range.upperBound
        policy = RetryPolicy(
            limitSeconds: client.configuration.readTimeoutSeconds, nowSeconds: client.nowSeconds())
    }

    func cancel() {
        let ticket = cancellation.withLock { cancellation in
            cancellation.isCancelled = true
            return cancellation.ticket
        }
        ticket?.cancel()
    }

    func locate() {
        if isCancelled { return finish(.cancelled) }
        if client.configuration.isOffline { return finish(.offline) }
        client.target(of: location, priority: priority) { result in
            switch result {
            case .failure(let error): self.finish(error)
            case .success(let target): self.transfer(from: target)
            }
        }
    }

    private func transfer(from target: ContentURLs.Target) {
        if isCancelled { return finish(.cancelled) }
        self.target = target
        let isHub = client.urls.isOurs(target.url)
        if isHub {
            client.admitted(
                .api, priority, limitSeconds: client.configuration.readTimeoutSeconds,
                url: location.path, refuse: { finish($0) },
                send: { self.send(target.url, .resolve) })
        } else {
            send(target.url, .cdn)
        }
    }

    private func send(_ url: String, _ kind: HubCounters.Class) {
        refusal = nil
        errorBody = []
        var headers = client.headers(for: url)
        headers.append(("Range", "bytes=\(offset)-\(end - 1)"))
        let request = HTTPRequest(
            url: url, headers: headers, urgency: priority == .demand ? .demand : .prefetch,
            connectTimeoutSeconds: client.configuration.connectTimeoutSeconds,
            stallTimeoutSeconds: client.configuration.stallSeconds)
        client.counters.countRequest(kind)
        let ticket = client.transport.start(request, into: self)
        let isTooLate = cancellation.withLock { cancellation in
            cancellation.ticket = ticket
            return cancellation.isCancelled
        }
        if isTooLate { ticket.cancel() }
    }

    func receive(head: HTTPResponseHead) -> Bool {
        if let target, client.urls.isOurs(target.url) { client.learn(.api, from: head) }
        refusal = check(head)
        if case .malformed = refusal { return false }
        return true
    }

    func receive(body: UnsafeRawBufferPointer) -> Bool {
        if refusal != nil {
            errorBody.append(contentsOf: body.prefix(4096 - min(errorBody.count, 4096)))
            return errorBody.count < 4096
        }
        // An answer to a range from the start may be the whole file: what is beyond is not wanted.
        let wanted = UnsafeRawBufferPointer(
            rebasing: body.prefix(Int(min(UInt64(body.count), end - offset))))
        guard !wanted.isEmpty else { return false }
        client.counters.countBytes(wanted.count, isFromHub ? .resolve : .cdn)
        guard receiver.receive(wanted, at: offset) else {
            cancellation.withLock { $0.isCancelled = true }
            return false
        }
        offset += UInt64(wanted.count)
        policy.progress(nowSeconds: client.nowSeconds())
        return true
    }

    func end(_ result: Result<Void, HTTPTransportError>) {
        cancellation.withLock { $0.ticket = nil }
        switch refusal {
        case .malformed(let reason):
            retry(.malformed, orFail: .malformed(url: loggableURL, reason: reason))
        case .status(let head): endRefused(head)
        case nil:
            if offset == end { return receiver.finished(.success(())) }
            if isCancelled { return finish(.cancelled) }
            switch result {
            case .success:
                retry(
                    .transport, orFail: .malformed(url: loggableURL, reason: "the body is short"))
            case .failure(.cancelled): finish(.cancelled)
            case .failure(let error):
                retry(.transport, orFail: error.hubError(url: loggableURL))
            }
        }
    }

    /// - Returns: what is wrong with an answer, nil when its body is the range asked for.
    private func check(_ head: HTTPResponseHead) -> Refusal? {
        guard head.status == 206 || head.status == 200 else { return .status(head) }
        if let encoding = head["content-encoding"], encoding != "identity" {
            return .malformed("the body is encoded as \(encoding)")
        }
        if head.status == 200 {
            // The whole file instead of the range: of use only when the range begins with it.
            guard offset == 0, head["content-length"].flatMap({ UInt64($0) }) == location.size
            else { return .malformed("the range was ignored") }
            return nil
        }
        let expected = "bytes \(offset)-\(end - 1)/\(location.size)"
        guard let range = head["content-range"] else { return .malformed("no Content-Range") }
        return range == expected ? nil : .malformed("asked for \(expected), got \(range)")
    }

    /// A signed URL that is refused has expired, as a rule: it is asked for anew, once.
    private func endRefused(_ head: HTTPResponseHead) {
        if let target, !isFromHub, [400, 401, 403, 404, 410].contains(head.status) {
            client.locations.withLock { $0.forget(location.content, target) }
            if mayResolveAgain {
                mayResolveAgain = false
                client.counters.countRetry()
                return locate()
            }
        }
        let error = HubError(
            status: head.status, head: head, body: errorBody, url: loggableURL)
        if head.isBusy {
            retry(.busy(retryAfterSeconds: head.retryAfterSeconds), orFail: error)
        } else if head.status < 400 {
            retry(
                .malformed, orFail: .malformed(url: loggableURL, reason: "status \(head.status)"))
        } else {
            finish(error)
        }
    }

    private func retry(_ failure: RetryPolicy.Failure, orFail error: HubError) {
        if isCancelled { return finish(.cancelled) }
        switch policy.failure(failure, nowSeconds: client.nowSeconds()) {
        case .giveUp: finish(error)
        case .retry(let seconds):
            client.counters.countRetry()
            client.timers.schedule(afterSeconds: seconds) { self.locate() }
        }
    }

    private func finish(_ error: HubError) {
        client.counters.note(error)
        receiver.finished(.failure(error))
    }

    private var isCancelled: Bool { cancellation.withLock { $0.isCancelled } }

    private var isFromHub: Bool { target.map { client.urls.isOurs($0.url) } ?? false }

    private var loggableURL: String {
        String((target?.url ?? location.path).prefix { $0 != "?" })
    }
}

extension HubClient: ContentOrigin {
    package func fetch(
        _ location: ContentLocation, range: Range<UInt64>, priority: FetchPriority,
        into receiver: any ContentReceiver
    ) -> any Fetch {
        precondition(!range.isEmpty && range.upperBound <= location.size)
        let fetch = ContentFetch(
            self, location, range: range, priority: priority, receiver: receiver)
        fetch.locate()
        return fetch
    }
}
