import HTTPTypes
import NIOCore

/// A part of a content, both ends included as HTTP counts.
struct ByteRange: Equatable, Sendable {
    let first: Int
    let last: Int

    var count: Int { last - first + 1 }

    enum Verdict: Equatable {
        /// No range asked, or one that RFC 9110 lets a server ignore.
        case whole
        case part(ByteRange)
        case unsatisfiable
    }

    /// Reads `Range: bytes=…`. Several ranges at once are answered with the whole content.
    static func parse(_ header: String?, size: Int) -> Verdict {
        guard let header, header.hasPrefix("bytes=") else { return .whole }
        let sides = header.dropFirst(6).split(
            separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2, !sides[1].contains(",") else { return .whole }
        if sides[0].isEmpty {
            guard let count = Int(sides[1]), count >= 0 else { return .whole }
            guard count > 0, size > 0 else { return .unsatisfiable }
            return .part(ByteRange(first: max(0, size - count), last: size - 1))
        }
        guard let first = Int(sides[0]), first >= 0 else { return .whole }
        guard let last = sides[1].isEmpty ? Int.max : Int(sides[1]), last >= first else {
            return .whole
        }
        guard first < size else { return .unsatisfiable }
        return .part(ByteRange(first: first, last: min(last, size - 1)))
    }
}

/// A content that can be sent whole, in part, or not at all if the client has it.
struct ContentAnswer {
    let size: Int
    /// With its quotes.
    let etag: String
    let headers: HTTPFields
    /// The bytes of a part, asked for only if there is something to send.
    let body: (_ offset: Int, _ count: Int) async throws -> AnswerBody

    func answer(_ request: HubRequest) async throws -> Answer {
        var headers = headers
        headers[.eTag] = etag
        headers[.acceptRanges] = "bytes"
        if Self.isKnown(etag, to: request) {
            headers[.contentType] = nil
            return Answer(.notModified, headers: headers)
        }
        let verdict =
            request.plan.ignoresRange
            ? .whole : ByteRange.parse(request.headers[.range], size: size)
        switch verdict {
        case .whole:
            return Answer(.ok, headers: headers, body: try await bytes(0, size))
        case .part(let range):
            headers[.contentRange] = "bytes \(range.first)-\(range.last)/\(size)"
            let body = try await bytes(range.first, range.count)
            return Answer(.partialContent, headers: headers, body: body)
        case .unsatisfiable:
            throw Refusal.rangeNotSatisfiable(size: size)
        }
    }

    private func bytes(_ offset: Int, _ count: Int) async throws -> AnswerBody {
        count == 0 ? .empty : try await body(offset, count)
    }

    /// Whether `If-None-Match` names the tag.
    static func isKnown(_ etag: String, to request: HubRequest) -> Bool {
        guard let header = request.headers[.ifNoneMatch] else { return false }
        return header.split(separator: ",").contains { candidate in
            let tag = candidate.drop { $0 == " " }.prefix { $0 != " " }
            return tag == "*" || tag == etag || tag == "W/" + etag
        }
    }
}
