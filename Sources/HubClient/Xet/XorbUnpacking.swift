import HTTPTransport
import Platform
import XetCodec

/// Fetches the parts of xorbs that a range of a file lies in, one after the other, and unpacks them.
///
/// `@unchecked Sendable`: its transfers follow each other, and a receiver's calls never overlap.
final class XorbUnpacking: HTTPReceiver, @unchecked Sendable {
    /// How it ended.
    enum Outcome {
        case whole
        /// The URL is not taken any more.
        case expired(String)
        case failed(XetFigures.Reason, String)
    }

    private let fetch: XetFetch
    private let ended: @Sendable (Outcome) -> Void
    private var assembly: TermAssembly
    /// Of those of `assembly`, the one that comes now.
    private var part = 0
    private var stream = XorbStream()
    private var chunk = 0
    private var receivedCount: UInt64 = 0
    private var isWelcome = true
    private var failure: Outcome?

    /// - Parameter ended: Called once, on a transfer thread; the fetch may then go on.
    init(
        _ fetch: XetFetch, _ assembly: TermAssembly, ended: @escaping @Sendable (Outcome) -> Void
    ) {
        self.fetch = fetch
        self.assembly = assembly
        self.ended = ended
    }

    /// Asks for the next part.
    func start() {
        let client = fetch.origin.client
        let range = assembly.ranges[part]
        stream = XorbStream()
        chunk = range.chunks.lowerBound
        receivedCount = 0
        failure = nil
        let request = HTTPRequest(
            url: range.url.text,
            headers: client.headers(for: range.url, sendsToken: false)
                + [("Range", "bytes=\(range.bytes.lowerBound)-\(range.bytes.upperBound)")],
            lane: .stream, isUrgent: false, bounds: client.bounds(isStream: true))
        client.counters.countRequest(.xorb)
        let transfer = client.transport.submit(request, to: self)
        fetch.stopping { transfer.cancel() }
    }

    func head(_ head: HTTPHead) -> Bool {
        let bytes = assembly.ranges[part].bytes
        let count = bytes.upperBound - bytes.lowerBound + 1
        switch head.status {
        case 206:
            guard let answered = head["content-range"],
                answered.hasPrefix("bytes \(bytes.lowerBound)-\(bytes.upperBound)/")
            else { return refuse("another range than was asked for") }
        // Some storage answers so when the URL itself is for those bytes alone.
        case 200:
            guard head["content-length"] == String(count) else {
                return refuse("a whole xorb answers a range")
            }
        case 403:
            failure = .expired("status 403")
            return true
        default: return refuse("status \(head.status)")
        }
        guard !head.isEncoded else { return refuse("the body is encoded") }
        return true
    }

    private func refuse(_ words: String) -> Bool {
        failure = .failed(.transfer, words)
        return false
    }

    func body(_ bytes: UnsafeRawBufferPointer) -> Bool {
        fetch.origin.client.counters.countBytes(bytes.count, .xorb)
        // The text of a refusal: taking it keeps the connection.
        if failure != nil { return true }
        let range = assembly.ranges[part]
        receivedCount += UInt64(bytes.count)
        do {
            return try fetch.origin.withRoom { room throws(XetFormatError) in
                try stream.append(bytes, in: room) { chunk throws(XetFormatError) in
                    take(chunk, of: range)
                }
            }
        } catch {
            failure = .failed(.chunks, "\(error)")
            return false
        }
    }

    /// - Returns: false when nothing more is wanted of this part.
    private func take(_ bytes: UnsafeRawBufferPointer, of range: XorbRange) -> Bool {
        guard chunk < range.chunks.upperBound else {
            failure = .failed(.chunks, "more chunks than the range has")
            return false
        }
        do {
            let wantsMore = try assembly.take(chunk, of: range, bytes) { piece in
                fetch.origin.files.count(unpacked: piece.count)
                isWelcome = fetch.deliver(piece)
                return isWelcome
            }
            chunk += 1
            return wantsMore
        } catch {
            failure =
                switch error {
                case .tooScattered: .failed(.scattered, "chunks far from each other")
                case .contradiction(let words): .failed(.chunks, words)
                }
            return false
        }
    }

    func end(_ result: Result<Void, HTTPTransportError>) {
        if assembly.isWhole { return ended(.whole) }
        if let failure { return ended(failure) }
        guard isWelcome else { return ended(.failed(.transfer, "not wanted any more")) }
        if case .failure(let error) = result {
            let words = HubError(error, url: assembly.ranges[part].url).sentence
            return ended(.failed(.transfer, words))
        }
        guard stream.isAtEndOfChunk, chunk == assembly.ranges[part].chunks.upperBound else {
            return ended(.failed(.chunks, "the part ends after \(receivedCount) bytes"))
        }
        part += 1
        guard part < assembly.ranges.count else {
            return ended(.failed(.chunks, "the terms lack chunks"))
        }
        start()
    }
}
