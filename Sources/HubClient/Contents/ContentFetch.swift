import HTTPTransport
import Platform

extension HubClient: ContentOrigin {
    package func fetch(
        _ location: ContentLocation, range: Range<UInt64>, priority: FetchPriority,
        into receiver: any ContentReceiver
    ) -> any Fetch {
        precondition(!range.isEmpty && range.upperBound <= location.size, "a range of the content")
        let fetch = ContentFetch(self, location, range, priority, receiver)
        fetch.start()
        return fetch
    }
}

/// One range of one content on its way to its receiver.
///
///     finding ──> sent ──> receiving ──> ended
///      ^  ^        │  │        │ cut: after a wait, from where it was cut
///      │  └────────┘  └────────┘
///      └─ refused URL: asked for anew, once without progress
///
/// Every bound on time is the policy's. The receiver is called without a lock held.
final class ContentFetch: Fetch, TimedOperation {
    private struct State {
        var policy: RetryPolicy
        /// First byte that has not been delivered.
        var nextOffset: UInt64
        /// What was remembered for the content; redirects from there are not.
        var found: ContentURL?
        var redirectCount = 0
        var hasAskedAnew = false
        var lastError: HubError?
        /// Numbers the tries, so that events of an abandoned one are recognised.
        var attempt = 0
        var transfer: HTTPTransfer?
        /// True between a try's start and its last event: then only that event may end the fetch,
        /// because the receiver might be in a call.
        var isTransferring = false
        /// Set by cancel and time-out for the try under way to end with.
        var ending: HubError?
        var isEnded = false
    }

    let client: HubClient
    let location: ContentLocation
    private let range: Range<UInt64>
    private let priority: FetchPriority
    private let receiver: any ContentReceiver
    private let state: Guarded<State>

    private static let redirectCountMax = 5
    /// Ranges above this use the lane of long streams.
    private static let smallByteCountMax: UInt64 = 256 << 10

    init(
        _ client: HubClient, _ location: ContentLocation, _ range: Range<UInt64>,
        _ priority: FetchPriority, _ receiver: any ContentReceiver
    ) {
        self.client = client
        self.location = location
        self.range = range
        self.priority = priority
        self.receiver = receiver
        let policy = RetryPolicy(limits: client.configuration.retryLimits, now: .now)
        state = Guarded(State(policy: policy, nextOffset: range.lowerBound), rank: .hub)
    }

    func start() {
        guard !client.configuration.isOffline else { return endSoon(.offline) }
        guard client.operations.add(self) else { return endSoon(.cancelled) }
        find()
    }

    func cancel() { endSoon(.cancelled) }

    func endIfOverdue(now: MonotonicInstant) {
        let (deadline, lastError) = state.withLock { ($0.policy.deadline, $0.lastError) }
        guard deadline <= now else { return }
        endSoon(lastError ?? .unreachable(url: loggedURL, reason: "no byte came in time"))
    }

    private var loggedURL: String {
        client.routes?.content(location)?.withoutQuery ?? client.configuration.endpoint
    }

    private func find() {
        client.locations.find(location, priority, client: client) { [self] result in
            switch result {
            case .success(let place):
                state.withLock { $0.found = place }
                askGate(place)
            case .failure(let error): endSoon(error)
            }
        }
    }

    private func askGate(_ place: ContentURL) {
        let (deadline, isEnded) = state.withLock { ($0.policy.deadline, $0.isEnded) }
        if isEnded { return }
        guard place.isOurs else { return send(place) }
        switch client.admit(place.quota, priority, deadline: deadline) {
        case .go: send(place)
        case .wait(let instant): schedule(at: instant) { $0.askGate(place) }
        case .refuse(let seconds): endSoon(.quotaSpent(url: place.url, secondsToReset: seconds))
        }
    }

    private func send(_ place: ContentURL) {
        let begun: (attempt: Int, offset: UInt64)? = state.withLock { state in
            guard !state.isEnded, state.ending == nil else { return nil }
            state.attempt += 1
            state.isTransferring = true
            return (state.attempt, state.nextOffset)
        }
        guard let (attempt, offset) = begun else { return }
        let rest = offset..<range.upperBound
        let isSmall = UInt64(rest.count) <= Self.smallByteCountMax
        let request = HTTPRequest(
            url: place.url.text,
            headers: client.headers(for: place.url)
                + [("Range", "bytes=\(rest.lowerBound)-\(rest.upperBound - 1)")],
            lane: isSmall ? .small : .stream, isUrgent: priority == .demand,
            bounds: client.bounds(isStream: true))
        client.counters.countRequest(place.isOurs ? .api : .cdn)
        let transfer = client.transport.submit(
            request, to: RangeReceiver(self, place: place, range: rest))
        let isUnwanted = state.withLock { state in
            guard state.isTransferring, state.attempt == attempt else { return false }
            state.transfer = transfer
            return state.ending != nil
        }
        if isUnwanted { transfer.cancel() }
    }

    private func schedule(
        at instant: MonotonicInstant, _ action: @escaping @Sendable (ContentFetch) -> Void
    ) {
        client.timers.schedule(at: instant) { [weak self] in
            guard let self, !self.state.withLock({ $0.isEnded }) else { return }
            self.client.runOnTransferThread { action(self) }
        }
    }
}

/// What a try reports.
extension ContentFetch {
    /// - Returns: false when the receiver wants no more, or the fetch is to end.
    func deliver(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
        guard state.withLock({ $0.ending == nil }) else { return false }
        let wantsMore = receiver.receive(bytes, at: offset)
        state.withLock { state in
            state.nextOffset = offset + UInt64(bytes.count)
            state.hasAskedAnew = false
            state.redirectCount = 0
            state.policy.progressed(now: .now)
            if !wantsMore { state.ending = .cancelled }
        }
        return wantsMore
    }

    /// The try is over.
    func tried(_ outcome: RangeReceiver.Outcome, at place: ContentURL) {
        let (isWhole, ending) = state.withLock { state in
            state.isTransferring = false
            state.transfer = nil
            return (state.nextOffset == range.upperBound, state.ending)
        }
        if isWhole { return end(.success(())) }
        if let ending { return end(.failure(ending)) }
        switch outcome {
        case .redirect(let target): follow(target, from: place)
        case .refused(let error): askAnew(error, place)
        case .failed(let failure, let error): retry(failure, error, place)
        }
    }

    private func follow(_ target: String, from place: ContentURL) {
        let isBounded = state.withLock { state in
            state.redirectCount += 1
            return state.redirectCount <= Self.redirectCountMax
        }
        guard isBounded, let next = place.url.resolving(target) else {
            return end(
                .failure(.malformed(url: place.url.withoutQuery, reason: "lost in redirects")))
        }
        askGate(ContentURL(url: next, isOurs: client.routes?.isOurs(next) == true))
    }

    private func askAnew(_ error: HubError, _ place: ContentURL) {
        let (isFirst, found) = state.withLock { state in
            defer { state.hasAskedAnew = true }
            return (!state.hasAskedAnew, state.found)
        }
        if let found { client.locations.forget(found, of: location.content) }
        guard isFirst else { return end(.failure(error)) }
        client.logRetry(place.url, error, seconds: 0)
        find()
    }

    private func retry(_ failure: RetryPolicy.Failure, _ error: HubError, _ place: ContentURL) {
        let action = state.withLock { state in
            state.lastError = error
            return state.policy.failed(failure, now: .now)
        }
        switch action {
        case .giveUp: end(.failure(error))
        case .retry(let seconds):
            client.logRetry(place.url, error, seconds: seconds)
            // Found again rather than asked again: the URL may have expired during the waits.
            schedule(at: .now.advanced(bySeconds: seconds)) { $0.find() }
        }
    }

    /// Ends the fetch from outside of a try: now if none is under way, else through it.
    private func endSoon(_ error: HubError) {
        let transfer: HTTPTransfer?
        let endsHere: Bool
        (endsHere, transfer) = state.withLock { state in
            if state.ending == nil { state.ending = error }
            return (!state.isTransferring, state.transfer)
        }
        transfer?.cancel()
        if endsHere { client.runOnTransferThread { [self] in end(.failure(error)) } }
    }

    /// The first call counts.
    private func end(_ result: Result<Void, HubError>) {
        let isFirst = state.withLock { state in
            defer { state.isEnded = true }
            return !state.isEnded && !state.isTransferring
        }
        guard isFirst else { return }
        client.operations.remove(self)
        if case .failure(let error) = result { client.counters.note(error) }
        receiver.finished(result)
    }
}
