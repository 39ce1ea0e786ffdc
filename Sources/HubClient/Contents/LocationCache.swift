import Glibc
import HTTPTransport
import Platform
import XetCodec

/// Finds out where contents are served from: remembered, or asked once for everybody who waits.
final class LocationCache: Sendable {
    typealias Completion = @Sendable (Result<ContentURL, HubError>) -> Void

    /// One question under way. Invariant: `waiters` is not empty.
    private struct Flight {
        var exchange: Exchange?
        var priority: FetchPriority
        var waiters: [Completion]
    }

    private struct State {
        var urls = SignedURLs()
        var flights: [ContentID: Flight] = [:]
    }

    private enum Lookup {
        case known(ContentURL)
        case asks
        case joined(Exchange?)
    }

    private let state = Guarded(State(), rank: .hub)

    private static let redirectCountMax = 5

    /// - Parameter completion: Called here and now when the place is known, else on a transfer
    ///   thread.
    func find(
        _ location: ContentLocation, _ priority: FetchPriority, client: HubClient,
        completion: @escaping Completion
    ) {
        let now = MonotonicInstant.now
        let lookup: Lookup = state.withLock { state in
            if let place = state.urls.place(of: location.content, now: now) { return .known(place) }
            if state.flights[location.content] != nil {
                state.flights[location.content]?.waiters.append(completion)
                state.flights[location.content]?.priority.raise(to: priority)
                return .joined(state.flights[location.content]?.exchange)
            }
            state.flights[location.content] = Flight(priority: priority, waiters: [completion])
            return .asks
        }
        switch lookup {
        case .known(let place): completion(.success(place))
        case .joined(let exchange): exchange?.raise(to: priority)
        case .asks: ask(client.routes?.content(location), location, client, redirectCount: 0)
        }
    }

    /// Drops a URL that the storage refused.
    func forget(_ place: ContentURL, of content: ContentID) {
        state.withLock { $0.urls.forget(place, of: content) }
    }

    /// Asks for one byte, so that a server that answers with the content itself sends little.
    private func ask(
        _ url: WebURL?, _ location: ContentLocation, _ client: HubClient, redirectCount: Int
    ) {
        let content = location.content
        guard let url else {
            let error = HubError.malformed(
                url: client.configuration.endpoint, reason: "the file has no URL")
            return answer(content, .failure(error))
        }
        let priority = state.withLock { $0.flights[content]?.priority } ?? .demand
        let question = Exchange.Question(
            url: url, kind: .resolvers, counter: .resolve, priority: priority,
            headers: [("Range", "bytes=0-0")], followsRedirects: false, wantsBody: false)
        let exchange = Exchange(client, question) { [self] result in
            switch result {
            case .failure(.rateLimited) where wasOvertaken(content, asked: priority):
                ask(url, location, client, redirectCount: redirectCount)
            case .failure(let error): answer(content, .failure(error))
            case .success(let answer):
                resolved(answer, location, client, redirectCount: redirectCount)
            }
        }
        state.withLock { $0.flights[content]?.exchange = exchange }
        exchange.start()
        // A waiter that joined before `exchange` stood there could not raise it.
        if let raised = state.withLock({ $0.flights[content]?.priority }) {
            exchange.raise(to: raised)
        }
    }

    /// True when a demand joined a prefetch that was refused its share of the quota: the rest of
    /// the quota is for the demand.
    private func wasOvertaken(_ content: ContentID, asked priority: FetchPriority) -> Bool {
        state.withLock { state in
            guard let flight = state.flights[content] else { return false }
            return flight.priority > priority
        }
    }

    private func resolved(
        _ answer: Exchange.Answer, _ location: ContentLocation, _ client: HubClient,
        redirectCount: Int
    ) {
        let name = answer.response.head["x-xet-hash"].flatMap { XetHash(text: $0) }
        guard answer.response.head.isRedirect else {
            if let error = Self.fault(of: name, location, answer) {
                return self.answer(location.content, .failure(error))
            }
            // The resolve URL serves the bytes itself.
            return found(ContentURL(url: answer.url, isOurs: true), location.content)
        }
        guard let next = answer.response.head["location"].flatMap({ answer.url.resolving($0) })
        else {
            let error = answer.malformed("a redirect leads nowhere")
            return self.answer(location.content, .failure(error))
        }
        let isOurs = client.routes?.isOurs(next) == true
        guard isOurs, next.path.contains("/resolve/") else {
            if let error = Self.fault(of: name, location, answer) {
                return self.answer(location.content, .failure(error))
            }
            return found(
                ContentURL(url: next, isOurs: isOurs, xetHash: name), location.content)
        }
        // The repo has another name now: the same question there.
        guard redirectCount < Self.redirectCountMax else {
            return self.answer(location.content, .failure(answer.malformed("too many redirects")))
        }
        ask(next, location, client, redirectCount: redirectCount + 1)
    }

    /// What a path of a bucket has now need not be what was listed there.
    ///
    /// - Parameter name: What the Hub says is there.
    private static func fault(
        of name: XetHash?, _ location: ContentLocation, _ answer: Exchange.Answer
    ) -> HubError? {
        guard case .xet(let oid) = location.content, name?.text != oid.hex else { return nil }
        return .entryNotFound(
            .init(
                status: 404, message: "the bucket has another file there by now",
                requestID: "", url: answer.url.withoutQuery))
    }

    private func found(_ place: ContentURL, _ content: ContentID) {
        let seconds = SignedURLs.usableSeconds(place, secondsSince1970: Double(time(nil)))
        state.withLock {
            $0.urls.remember(place, of: content, seconds: seconds, now: .now)
        }
        answer(content, .success(place))
    }

    private func answer(_ content: ContentID, _ result: Result<ContentURL, HubError>) {
        let flight = state.withLock { $0.flights.removeValue(forKey: content) }
        for waiter in flight?.waiters ?? [] { waiter(result) }
    }
}

extension FetchPriority {
    fileprivate mutating func raise(to other: FetchPriority) { self = max(self, other) }
}
