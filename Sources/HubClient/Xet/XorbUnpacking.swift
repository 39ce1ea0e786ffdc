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

    /// Bytes that nobody needs, and that are taken nevertheless: about as long on their way as a new
    /// connection would need.
    private static let uselessByteCountMax: UInt64 = 256 << 10

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
    /// Chunks are put together here: they begin anywhere in a block.
    private let buffer: PieceBuffer
    /// Where the next byte of the file stands.
    private var position: UInt64

    /// - Parameters:
    ///   - position: Where the bytes stand in the file that `assembly` begins with.
    ///   - ended: Called once, on a transfer thread; the fetch may then go on.
    init(
        _ fetch: XetFetch, _ assembly: TermAssembly, at position: UInt64,
        ended: @escaping @Sendable (Outcome) -> Void
    ) {
        self.fetch = fetch
        self.assembly = assembly
        self.position = position
        self.ended = ended
        buffer = fetch.origin.buffers.take()
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
        if assembly.isWhole { return isWorthTaking(restOf: range) }
        do {
            let wantsMore = try fetch.origin.withRoom { room throws(XetFormatError) in
                try stream.append(bytes, in: room) { chunk throws(XetFormatError) in
                    take(chunk, of: range)
                }
            }
            return wantsMore || assembly.isWhole && isWelcome && isWorthTaking(restOf: range)
        } catch {
            failure = .failed(.chunks, "\(error)")
            return false
        }
    }

    /// Whether what is left of a part is taken although nobody needs it: a transfer that is ended early
    /// takes its connection with it.
    private func isWorthTaking(restOf range: XorbRange) -> Bool {
        let count = UInt64(range.bytes.count)
        return receivedCount <= count && count - receivedCount <= Self.uselessByteCountMax
    }

    /// - Returns: false when nothing more is wanted of this part.
    private func take(_ bytes: UnsafeRawBufferPointer, of range: XorbRange) -> Bool {
        guard chunk < range.chunks.upperBound else {
            failure = .failed(.chunks, "more chunks than the range has")
            return false
        }
        do {
            let wantsMore = try assembly.take(chunk, of: range, bytes) { piece in
                isWelcome = buffer.append(piece, at: position) { deliver($0) }
                position += UInt64(piece.count)
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

    private func deliver(_ piece: UnsafeRawBufferPointer) -> Bool {
        fetch.origin.files.count(unpacked: piece.count)
        return fetch.deliver(piece)
    }

    func end(_ result: Result<Void, HTTPTransportError>) {
        guard let outcome = outcome(result) else { return start() }
        // Also before a failure: whoever goes on begins behind it.
        if isWelcome { isWelcome = buffer.flush { deliver($0) } }
        fetch.origin.buffers.giveBack(buffer)
        ended(outcome)
    }

    /// - Returns: nil when the next part is to be fetched.
    private func outcome(_ result: Result<Void, HTTPTransportError>) -> Outcome? {
        if assembly.isWhole { return .whole }
        if let failure { return failure }
        guard isWelcome else { return .failed(.transfer, "not wanted any more") }
        if case .failure(let error) = result {
            let words = HubError(error, url: assembly.ranges[part].url).sentence
            return .failed(.transfer, words)
        }
        guard stream.isAtEndOfChunk, chunk == assembly.ranges[part].chunks.upperBound else {
            return .failed(.chunks, "the part ends after \(receivedCount) bytes")
        }
        part += 1
        return part < assembly.ranges.count ? nil : .failed(.chunks, "the terms lack chunks")
    }
}
