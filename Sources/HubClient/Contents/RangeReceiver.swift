import HTTPTransport

/// Takes the answer of one try of a fetch, checks it, and hands its bytes on.
///
/// `@unchecked Sendable`: a receiver's calls never overlap.
final class RangeReceiver: HTTPReceiver, @unchecked Sendable {
    /// How a try ended that did not deliver everything.
    enum Outcome {
        case redirect(to: String)
        /// Not at this URL.
        case refused(HubError)
        case failed(RetryPolicy.Failure, HubError)
    }

    private let fetch: ContentFetch
    private let place: ContentURL
    private let range: Range<UInt64>
    private var head: HTTPHead?
    private var answer: RangeAnswer?
    private var skipCount: UInt64 = 0
    private var nextOffset: UInt64
    /// The beginning of an error's body, for its message.
    private var errorBody: [UInt8] = []

    private static let errorByteCountMax = 16 << 10

    init(_ fetch: ContentFetch, place: ContentURL, range: Range<UInt64>) {
        self.fetch = fetch
        self.place = place
        self.range = range
        nextOffset = range.lowerBound
    }

    func head(_ head: HTTPHead) -> Bool {
        let client = fetch.client
        if place.isOurs { client.learnRateLimit(head, place.quota) }
        let answer = RangeAnswer(head, asked: range, size: fetch.location.size)
        self.head = head
        self.answer = answer
        switch answer {
        case .body(let count):
            skipCount = count
            return true
        // Short texts: taking them keeps the connection.
        case .redirect, .refused, .busy: return true
        case .malformed: return false
        }
    }

    func body(_ bytes: UnsafeRawBufferPointer) -> Bool {
        fetch.client.counters.countBytes(bytes.count, place.isOurs ? .api : .cdn)
        guard case .body = answer else {
            errorBody.append(contentsOf: bytes)
            return errorBody.count <= Self.errorByteCountMax
        }
        let skipped = min(UInt64(bytes.count), skipCount)
        skipCount -= skipped
        let wanted = UnsafeRawBufferPointer(rebasing: bytes[Int(skipped)...])
        let missingCount = range.upperBound - nextOffset
        let piece = UnsafeRawBufferPointer(rebasing: wanted.prefix(Int(clamping: missingCount)))
        guard !piece.isEmpty else { return missingCount > 0 }
        let offset = nextOffset
        nextOffset += UInt64(piece.count)
        // A whole content that came for a range goes on after it: enough is enough.
        return fetch.deliver(piece, at: offset) && wanted.count == piece.count
    }

    func end(_ result: Result<Void, HTTPTransportError>) {
        fetch.tried(outcome(result), at: place)
    }

    private func outcome(_ result: Result<Void, HTTPTransportError>) -> Outcome {
        let url = place.url
        switch (answer, head) {
        case (.redirect(let target), _): return .redirect(to: target)
        case (.refused, let head?):
            return .refused(refusal(head))
        case (.busy(let seconds), let head?):
            return .failed(.busy(askedSeconds: seconds), refusal(head))
        case (.malformed(let reason), _):
            return .failed(.malformed, .malformed(url: url.withoutQuery, reason: reason))
        default: break
        }
        switch result {
        case .failure(.malformed(let reason)):
            return .failed(.malformed, .malformed(url: url.withoutQuery, reason: reason))
        case .failure(let error): return .failed(.connection, HubError(error, url: url))
        case .success:
            let reason = "the body ended at byte \(nextOffset) of \(range.upperBound)"
            return .failed(.connection, .unreachable(url: url.withoutQuery, reason: reason))
        }
    }

    private func refusal(_ head: HTTPHead) -> HubError {
        HubError(
            HTTPResponse(head: head, body: errorBody), url: place.url, asksForRepo: place.isOurs)
    }
}
