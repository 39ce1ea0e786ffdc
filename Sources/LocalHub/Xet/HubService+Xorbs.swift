import Foundation
import HTTPTypes
import NIOCore
import Synchronization
import XetCodec

/// Parts of xorbs on the CDN listener, to whoever has a URL that is signed for them.
extension HubService {
    private static let rangesName = "X-Xet-Signed-Range"

    /// A URL for some ranges of a xorb and no others.
    func xorbURL(_ xorb: String, _ ranges: [ByteRange]) -> String {
        let path = "/xorbs/\(CASAction.prefix)/\(xorb)"
        let list = ByteRange.text(ranges)
        let expires = Int(Date().timeIntervalSince1970) + urlLifetimeSeconds
        let query = signer.sign(Self.signed(path, list), for: .download, expires: expires)
        return "\(cdnEndpoint)\(path)?\(Self.rangesName)=\(URLText.encode(list))&\(query)"
    }

    private static func signed(_ path: String, _ ranges: String) -> String { "\(path)?\(ranges)" }

    func xorb(_ name: String, _ request: HubRequest) async throws -> Answer {
        guard request.headers[.authorization] == nil else { throw Refusal.twoAuthorizations }
        guard let list = request.parameter(Self.rangesName), let signed = ByteRange.list(list),
            let hash = XetHash(text: name)
        else { throw Refusal.forbidden("Access denied") }
        try requireSignature(
            .download, request, path: Self.signed(request.path, list))
        let index = try await blocking.run { try hub.xet.index(of: hash) }
        guard let index else { throw Refusal.entryNotFound(commit: nil) }
        let whole = ByteRange(first: 0, last: index.packedByteCount - 1)
        var asked = [whole]
        if let header = request.headers[.range] {
            guard let ranges = ByteRange.list(header) else {
                throw Refusal.badRequest("Invalid Range: \(header)")
            }
            asked = ranges
        }
        let isSigned = asked.allSatisfy { range in
            signed.contains { $0.first <= range.first && range.last <= $0.last }
        }
        guard isSigned else { throw Refusal.forbidden("Access denied") }
        if request.plan.ignoresRange || asked == [whole] && request.headers[.range] == nil {
            return try await xorbAnswer(.ok, hash, whole, [:])
        }
        return asked.count == 1
            ? try await xorbAnswer(
                .partialContent, hash, asked[0],
                [.contentRange: asked[0].contentRange(of: whole.count)])
            : try await xorbParts(hash, asked, of: whole.count)
    }

    private func xorbAnswer(
        _ status: HTTPResponse.Status, _ hash: XetHash, _ range: ByteRange, _ headers: HTTPFields
    ) async throws -> Answer {
        var headers = headers
        headers[.contentType] = "application/octet-stream"
        headers[.acceptRanges] = "bytes"
        headers[.eTag] = "\"\(hash)\""
        let body = try await xorbBody(hash, range)
        return Answer(status, headers: headers, body: body)
    }

    private func xorbBody(_ hash: XetHash, _ range: ByteRange) async throws -> AnswerBody {
        let body = try await blocking.run {
            try FileBody(path: hub.xet.path(hash), offset: range.first, blocking: blocking)
        }
        return .pieces(count: range.count, body)
    }

    /// Several ranges at once, as RFC 9110 has them.
    private func xorbParts(
        _ hash: XetHash, _ ranges: [ByteRange], of size: Int
    ) async throws -> Answer {
        let boundary = UUID().uuidString
        var parts: [AnswerBody] = []
        for range in ranges {
            let head =
                "\r\n--\(boundary)\r\nContent-Type: application/octet-stream\r\n"
                + "Content-Range: \(range.contentRange(of: size))\r\n\r\n"
            parts.append(.bytes(ByteBuffer(string: head)))
            parts.append(try await xorbBody(hash, range))
        }
        parts.append(.bytes(ByteBuffer(string: "\r\n--\(boundary)--\r\n")))
        let headers: HTTPFields = [
            .contentType: "multipart/byteranges; boundary=\(boundary)", .acceptRanges: "bytes",
        ]
        return Answer(
            .partialContent, headers: headers,
            body: .pieces(count: parts.reduce(0) { $0 + $1.count }, JoinedBody(parts)))
    }
}

extension ByteRange {
    /// Reads `bytes=a-b,c-d` with both ends of each range said; nil for anything else.
    static func list(_ text: String) -> [ByteRange]? {
        guard text.hasPrefix("bytes=") else { return nil }
        var ranges: [ByteRange] = []
        for part in text.dropFirst(6).split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.drop { $0 == " " }
                .split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard sides.count == 2, let first = sides[0], let last = sides[1], first <= last,
                last < Int.max
            else { return nil }
            ranges.append(ByteRange(first: first, last: last))
        }
        return ranges
    }

    /// What `list` reads.
    static func text(_ ranges: [ByteRange]) -> String {
        "bytes=" + ranges.map { "\($0.first)-\($0.last)" }.joined(separator: ",")
    }

    func contentRange(of size: Int) -> String { "bytes \(first)-\(last)/\(size)" }
}

/// Bodies one after the other.
final class JoinedBody: BodyPieces {
    private struct State {
        var parts: ArraySlice<AnswerBody>
        /// Bytes of the first part that are sent.
        var sent = 0
    }

    private let state: Mutex<State>

    init(_ parts: [AnswerBody]) {
        state = Mutex(State(parts: parts[...]))
    }

    func next(max: Int) async throws -> ByteBuffer {
        let (part, sent) = state.withLock { state in
            while let first = state.parts.first, first.count == state.sent {
                state.parts.removeFirst()
                state.sent = 0
            }
            return (state.parts.first, state.sent)
        }
        guard let part else { return ByteBuffer() }
        let count = min(max, part.count - sent)
        let piece: ByteBuffer
        switch part {
        case .bytes(let buffer):
            piece = buffer.getSlice(at: buffer.readerIndex + sent, length: count) ?? ByteBuffer()
        case .pieces(_, let body): piece = try await body.next(max: count)
        case .stream(let body): piece = try await body.next(max: count)
        }
        state.withLock { $0.sent += piece.readableBytes }
        return piece
    }
}
