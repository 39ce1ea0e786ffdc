import HTTPTransport
import Platform
import SystemPackage

/// A range of a file on its way to a signed URL.
///
///     sending ──> answered ──> ended
///       ^  │ busy, broken: after a wait, from its beginning
///       └──┘
///
/// Ends only when the transport has let go of the file.
final class PartUpload: TimedOperation {
    struct Part: Sendable {
        let url: WebURL
        let file: FileDescriptor
        /// Bytes of the file.
        let range: Range<UInt64>
        /// The answer must have an ETag, by which the whole is put together.
        let needsTag: Bool
    }

    /// The answer's ETag as it stands, empty when there is none.
    typealias Completion = @Sendable (Result<String, UploadFailure>) -> Void

    private struct State {
        var policy: RetryPolicy
        var lastError: HubError?
        /// Numbers the tries, so that what belongs to another one is recognised.
        var attempt = 0
        var isTransferring = false
        var transfer: HTTPTransfer?
        /// Set by cancel and time-out for the try under way to end with.
        var ending: UploadFailure?
        /// Bytes of this try already counted as sent.
        var countedByteCount: UInt64 = 0
        /// Taken by whoever ends the part.
        var completion: Completion?
    }

    private let client: HubClient
    private let part: Part
    private let progress: @Sendable (UInt64) -> Void
    private let state: Guarded<State>

    /// An object store's words are few; what it says beyond is not for us.
    private static let answerByteCountMax = 256 << 10

    /// - Parameter progress: Bytes of the part sent so far; less than before when it starts over.
    init(
        _ client: HubClient, _ part: Part, progress: @escaping @Sendable (UInt64) -> Void,
        completion: @escaping Completion
    ) {
        self.client = client
        self.part = part
        self.progress = progress
        let policy = RetryPolicy(limits: client.configuration.writeRetryLimits, now: .now)
        state = Guarded(State(policy: policy, completion: completion), rank: .hub)
    }

    func start() {
        guard !client.configuration.isOffline else { return endSoon(.failed(.offline)) }
        guard client.operations.add(self) else { return endSoon(.failed(.cancelled)) }
        send()
    }

    func cancel() { endSoon(.failed(.cancelled)) }

    func endIfOverdue(now: MonotonicInstant) {
        let (deadline, lastError) = state.withLock { ($0.policy.deadline, $0.lastError) }
        guard deadline <= now else { return }
        let url = part.url.withoutQuery
        endSoon(.failed(lastError ?? .unreachable(url: url, reason: "no byte was taken in time")))
    }

    private func send() {
        let attempt: Int? = state.withLock { state in
            guard state.ending == nil, state.completion != nil else { return nil }
            state.attempt += 1
            state.isTransferring = true
            state.countedByteCount = 0
            return state.attempt
        }
        guard let attempt else { return }
        let request = HTTPRequest(
            method: .put, url: part.url.text,
            headers: client.headers(for: part.url, sendsToken: false),
            body: .file(part.file, part.range), lane: .upload, bounds: client.writeBounds)
        client.counters.countRequest(.cdn)
        let transfer = client.transport.collect(
            request, bodyByteCountMax: Self.answerByteCountMax,
            sent: { [self] byteCount in sent(byteCount) },
            completion: { [self] result in tried(result) })
        let isUnwanted = state.withLock { state in
            guard state.isTransferring, state.attempt == attempt else { return false }
            state.transfer = transfer
            return state.ending != nil
        }
        if isUnwanted { transfer.cancel() }
    }

    private func sent(_ byteCount: UInt64) {
        let newByteCount: UInt64 = state.withLock { state in
            state.policy.extended(now: .now)
            defer { state.countedByteCount = byteCount }
            return byteCount > state.countedByteCount ? byteCount - state.countedByteCount : 0
        }
        client.counters.countBytesSent(newByteCount, .cdn)
        progress(byteCount)
    }

    private func tried(_ result: Result<HTTPResponse, HTTPTransportError>) {
        let ending = state.withLock { state in
            state.isTransferring = false
            state.transfer = nil
            return state.ending
        }
        if case .success(let response) = result, (200..<300).contains(response.head.status) {
            return arrived(response)
        }
        if let ending { return end(.failure(ending)) }
        switch result {
        case .success(let response): refused(response)
        case .failure(let error):
            let failure = HubError(error, url: part.url)
            switch error {
            case .unreadableBody(let reason): end(.failure(.unreadable(reason)))
            case .cancelled, .badURL, .bodyTooLarge: end(.failure(.failed(failure)))
            case .malformed: retry(.malformed, failure)
            default: retry(.connection, failure)
            }
        }
    }

    private func arrived(_ response: HTTPResponse) {
        let tag = response.head["etag"] ?? ""
        guard tag.isEmpty, part.needsTag else { return end(.success(tag)) }
        let url = part.url.withoutQuery
        retry(.malformed, .malformed(url: url, reason: "a part was taken without an ETag"))
    }

    private func refused(_ response: HTTPResponse) {
        let error = HubError(response, url: part.url, asksForRepo: false)
        switch response.head.status {
        case 401, 403, 404, 410: end(.failure(.expired(error)))
        case 400 where Self.isImpatient(response): retry(.busy(askedSeconds: nil), error)
        case _ where response.head.isBusy:
            retry(.busy(askedSeconds: response.head.askedSeconds), error)
        default: end(.failure(.failed(error)))
        }
    }

    /// S3 says "RequestTimeout" with status 400 when the bytes came too slowly.
    private static func isImpatient(_ response: HTTPResponse) -> Bool {
        response.body.firstRange(of: Array("<Code>RequestTimeout</Code>".utf8)) != nil
    }

    private func retry(_ failure: RetryPolicy.Failure, _ error: HubError) {
        let action = state.withLock { state in
            state.lastError = error
            return state.policy.failed(failure, now: .now)
        }
        switch action {
        case .giveUp: end(.failure(.failed(error)))
        case .retry(let seconds):
            client.logRetry(part.url, error, seconds: seconds)
            client.timers.schedule(afterSeconds: seconds) { [weak self] in
                guard let self else { return }
                self.client.runOnTransferThread { self.send() }
            }
        }
    }

    /// Ends from outside of a try: now if none is under way, else through it.
    private func endSoon(_ failure: UploadFailure) {
        let (endsHere, transfer) = state.withLock { state in
            if state.ending == nil { state.ending = failure }
            return (!state.isTransferring, state.transfer)
        }
        transfer?.cancel()
        if endsHere { end(.failure(failure)) }
    }

    /// The first call counts.
    private func end(_ result: Result<String, UploadFailure>) {
        guard let completion = state.withLock({ $0.completion.take() }) else { return }
        client.operations.remove(self)
        if case .failure(.failed(let error)) = result { client.counters.note(error) }
        completion(result)
    }
}
