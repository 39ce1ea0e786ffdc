/// Collects the header lines libcurl hands over, one call each, into the final head.
///
/// Interim answers (1xx) are dropped. Lines after the body (trailers) are ignored by the caller.
struct HeadParser {
    enum Step {
        case more
        case complete(HTTPHead)
        case malformed(String)
    }

    /// Far above any answer of the Hub; bounds what a hostile server can make us keep.
    static let byteCountMax = 64 << 10

    private var status: Int?
    private var headers: [(name: String, value: String)] = []
    private var byteCount = 0

    mutating func line(_ bytes: UnsafeRawBufferPointer) -> Step {
        byteCount += bytes.count
        guard byteCount <= Self.byteCountMax else {
            return .malformed("the head of the answer is over \(Self.byteCountMax) bytes")
        }
        let text = trimmed(bytes)
        if text.starts(with: "HTTP/".utf8) { return statusLine(text) }
        if text.isEmpty { return emptyLine() }
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")) else { return .more }
        let name = String(decoding: text[..<colon], as: UTF8.self)
        let value = String(decoding: trimmed(.init(rebasing: text[(colon + 1)...])), as: UTF8.self)
        headers.append((name, value))
        return .more
    }

    /// `HTTP/1.1 206 Partial Content`, `HTTP/2 200`.
    private mutating func statusLine(_ text: UnsafeRawBufferPointer) -> Step {
        let words = text.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count >= 2, let code = Int(String(decoding: words[1], as: UTF8.self)) else {
            return .malformed("the status line cannot be read")
        }
        status = code
        headers = []
        return .more
    }

    private mutating func emptyLine() -> Step {
        guard let status else { return .malformed("the answer has no status line") }
        if status < 200 {
            self.status = nil
            headers = []
            return .more
        }
        return .complete(HTTPHead(status: status, headers: headers))
    }

    /// Without spaces, tabs and line ends around it.
    private func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let isBlank = { (byte: UInt8) in byte == 32 || byte == 9 || byte == 13 || byte == 10 }
        guard let first = bytes.firstIndex(where: { !isBlank($0) }),
            let last = bytes.lastIndex(where: { !isBlank($0) })
        else { return UnsafeRawBufferPointer(rebasing: bytes[0..<0]) }
        return UnsafeRawBufferPointer(rebasing: bytes[first...last])
    }
}
