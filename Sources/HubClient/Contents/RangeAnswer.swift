import HTTPTransport

/// What the head of an answer to a ranged request means.
///
/// Strict, because a wrong body is not seen later: contents fetched by range have no digest to be
/// checked with until they are whole. Source: RFC 9110, sections 14 and 15.3.7.
enum RangeAnswer: Hashable, Sendable {
    /// The body follows; its first `skipCount` bytes come before the range.
    case body(skipCount: UInt64)
    case redirect(to: String)
    /// The URL does not serve us (any more): expired, or forbidden.
    case refused
    /// Busy: another try later may do.
    case busy(askedSeconds: Double?)
    case malformed(String)

    /// A server that ignores Range sends the content from its beginning. Up to here reading and
    /// dropping the bytes before the range costs less than a failed read.
    static let skipCountMax: UInt64 = 1 << 20

    init(_ head: HTTPHead, asked range: Range<UInt64>, size: UInt64) {
        if let encoding = head["content-encoding"], encoding.lowercased() != "identity" {
            self = .malformed("the body is encoded as \(encoding)")
        } else if head.status == 206 {
            self = Self.partial(head, range, size)
        } else if head.status == 200 {
            self = Self.whole(head, range, size)
        } else if head.isRedirect {
            self =
                head["location"].map { .redirect(to: $0) } ?? .malformed("a redirect leads nowhere")
        } else if head.isBusy {
            self = .busy(askedSeconds: head.askedSeconds)
        } else if (400..<500).contains(head.status), head.status != 416 {
            self = .refused
        } else {
            self = .malformed("status \(head.status) answers a range")
        }
    }

    private static func partial(
        _ head: HTTPHead, _ range: Range<UInt64>, _ size: UInt64
    ) -> RangeAnswer {
        let expected = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
        guard let answered = head["content-range"] else {
            return .malformed("a partial answer without Content-Range")
        }
        guard answered == expected else {
            return .malformed("the answer is '\(answered.prefix(60))', not '\(expected)'")
        }
        if let length = head["content-length"], length != String(range.count) {
            return .malformed("\(length.prefix(20)) bytes answer a range of \(range.count)")
        }
        return .body(skipCount: 0)
    }

    private static func whole(
        _ head: HTTPHead, _ range: Range<UInt64>, _ size: UInt64
    ) -> RangeAnswer {
        if let length = head["content-length"], length != String(size) {
            return .malformed("the content has \(length.prefix(20)) bytes, not \(size)")
        }
        guard range.lowerBound <= skipCountMax else {
            return .malformed("the whole content answers a range deep in it")
        }
        return .body(skipCount: range.lowerBound)
    }
}
