import HTTPTransport
import Platform
package import SystemPackage

extension HubClient {
    /// Sends an object to where the Hub wants it: whole or in parts, and says when it is there.
    ///
    /// Four parts are on their way at once over all uploads. A part that fails is sent again by
    /// itself, within limits; when it fails for good, the whole does.
    ///
    /// - Parameters:
    ///   - file: Holds the object from its first byte on. Borrowed: it must stay open, and its
    ///     bytes as they are, until `completion` is called.
    ///   - progress: Bytes on their way or there, of all parts; less than before when a part is
    ///     sent again. Called on transfer threads, whenever more of them are.
    ///   - completion: Called once, on a transfer thread or on this one.
    @discardableResult
    package func upload(
        _ upload: LFSUpload, from file: FileDescriptor,
        progress: @escaping @Sendable (_ sentByteCount: UInt64) -> Void = { _ in },
        completion: @escaping @Sendable (Result<Void, UploadFailure>) -> Void
    ) -> any Sending {
        let sending = ObjectUpload(
            self, upload, file: file, progress: progress, completion: completion)
        sending.start()
        return sending
    }
}

/// One object on its way.
///
///     parts, in slots ──> [complete] ──> [verify] ──> ended
///          └── a part failed: when the others are out ──^
final class ObjectUpload: Sending {
    private struct State {
        var nextPart = 0
        /// Slots held or stood in line for. The parts are over when there are none.
        var slotCount = 0
        var running: [Int: PartUpload] = [:]
        var tags: [String]
        var sentByteCounts: [UInt64]
        var sentByteCount: UInt64 = 0
        /// The first failure; nothing new begins after it.
        var failure: UploadFailure?
        /// Complete or verify.
        var closing: Exchange?
        var completion: (@Sendable (Result<Void, UploadFailure>) -> Void)?
    }

    private let client: HubClient
    private let upload: LFSUpload
    private let ranges: [Range<UInt64>]
    private let file: FileDescriptor
    private let progress: @Sendable (UInt64) -> Void
    private let state: Guarded<State>

    init(
        _ client: HubClient, _ upload: LFSUpload, file: FileDescriptor,
        progress: @escaping @Sendable (UInt64) -> Void,
        completion: @escaping @Sendable (Result<Void, UploadFailure>) -> Void
    ) {
        self.client = client
        self.upload = upload
        self.file = file
        self.progress = progress
        ranges = upload.ranges
        state = Guarded(
            State(
                tags: Array(repeating: "", count: ranges.count),
                sentByteCounts: Array(repeating: 0, count: ranges.count), completion: completion),
            rank: .hub)
    }

    func start() {
        let slotCount = min(ranges.count, client.uploadSlots.count)
        state.withLock { $0.slotCount = slotCount }
        for _ in 0..<slotCount { client.uploadSlots.take { [self] in sendNextPart() } }
    }

    func cancel() { fail(.failed(.cancelled)) }

    // MARK: Parts

    /// With a slot in hand.
    private func sendNextPart() {
        let index: Int? = state.withLock { state in
            guard state.failure == nil, state.nextPart < ranges.count else { return nil }
            defer { state.nextPart += 1 }
            return state.nextPart
        }
        guard let index else { return giveSlotBack() }
        let part = PartUpload.Part(
            url: upload.url(ofPart: index), file: file, range: ranges[index], needsTag: isInParts)
        let sending = PartUpload(
            client, part, progress: { [self] byteCount in sent(byteCount, ofPart: index) },
            completion: { [self] result in partEnded(index, result) })
        let hasFailed = state.withLock { state in
            state.running[index] = sending
            return state.failure != nil
        }
        sending.start()
        if hasFailed { sending.cancel() }
    }

    private var isInParts: Bool {
        if case .parts = upload.way { true } else { false }
    }

    private func sent(_ byteCount: UInt64, ofPart index: Int) {
        let whole = state.withLock { state in
            state.sentByteCount += byteCount
            state.sentByteCount -= state.sentByteCounts[index]
            state.sentByteCounts[index] = byteCount
            return state.sentByteCount
        }
        progress(whole)
    }

    private func partEnded(_ index: Int, _ result: Result<String, UploadFailure>) {
        state.withLock { state in
            state.running[index] = nil
            if case .success(let tag) = result { state.tags[index] = tag }
        }
        if case .failure(let failure) = result { fail(failure) }
        let hasMore = state.withLock { $0.failure == nil && $0.nextPart < ranges.count }
        guard hasMore else { return giveSlotBack() }
        client.uploadSlots.release()
        client.uploadSlots.take { [self] in sendNextPart() }
    }

    private func giveSlotBack() {
        client.uploadSlots.release()
        let isLast = state.withLock { state in
            state.slotCount -= 1
            return state.slotCount == 0
        }
        if isLast { partsEnded() }
    }

    /// Remembers the first failure and calls back what is on its way.
    private func fail(_ failure: UploadFailure) {
        let (parts, closing) = state.withLock { state in
            if state.failure == nil { state.failure = failure }
            return (Array(state.running.values), state.closing)
        }
        for part in parts { part.cancel() }
        closing?.cancel()
    }

    // MARK: Complete and verify

    private func partsEnded() {
        let (failure, tags) = state.withLock { ($0.failure, $0.tags) }
        if let failure { return end(.failure(failure)) }
        guard case .parts(_, _, let url) = upload.way else { return verify() }
        let parts = tags.enumerated().map { index, tag in
            "{\"partNumber\":\(index + 1),\"etag\":\(JSON.quoted(tag))}"
        }
        let body =
            "{\"oid\":\"\(upload.object.oid.hex)\",\"parts\":[\(parts.joined(separator: ","))]}"
        // The URL is signed; a token would only tell it to whoever reads along.
        ask(url, body, sendsToken: false) { [self] in verify() }
    }

    private func verify() {
        guard let url = upload.verify else { return end(.success(())) }
        let object = upload.object
        let body = "{\"oid\":\"\(object.oid.hex)\",\"size\":\(object.size)}"
        ask(url, body, sendsToken: true) { [self] in end(.success(())) }
    }

    private func ask(
        _ url: WebURL, _ body: String, sendsToken: Bool, then: @escaping @Sendable () -> Void
    ) {
        var question = Exchange.Question.writing(url, json: body, contentType: lfsContentType)
        question.headers.append(("Accept", lfsContentType))
        question.sendsToken = sendsToken
        question.asksForRepo = false
        let exchange = Exchange(client, question) { [self] result in
            state.withLock { $0.closing = nil }
            switch result {
            case .success: then()
            case .failure(let error):
                let isRefused = !sendsToken && [401, 403, 404, 410].contains(error.status)
                end(.failure(isRefused ? .expired(error) : .failed(error)))
            }
        }
        let failure = state.withLock { state in
            state.closing = exchange
            return state.failure
        }
        exchange.start()
        if failure != nil { exchange.cancel() }
    }

    private func end(_ result: Result<Void, UploadFailure>) {
        guard let completion = state.withLock({ $0.completion.take() }) else { return }
        completion(result)
    }
}
