import Foundation
import Glibc

/// What came back over a socket, as far as it came.
struct WireAnswer: Sendable {
    enum Ending: Equatable, Sendable {
        /// The head and as many bytes as it announced.
        case complete
        /// The stream ended before that.
        case closedEarly
        /// RST.
        case reset
        /// Nothing more came for as long as the client waits.
        case silence
    }

    var status = 0
    /// Names in lower case.
    var headers: [String: String] = [:]
    var body: [UInt8] = []
    var ending = Ending.closedEarly
    /// Bytes that arrived, head and body.
    var byteCount = 0

    var text: String { String(decoding: body, as: UTF8.self) }

    var json: Any? { try? JSONSerialization.jsonObject(with: Data(body)) }

    var object: [String: Any] { json as? [String: Any] ?? [:] }

    var array: [[String: Any]] { json as? [[String: Any]] ?? [] }

    /// The URL of `Link: <…>; rel="next"`.
    var next: String? {
        headers["link"].flatMap { $0.split(separator: ">").first?.dropFirst() }.map(String.init)
    }
}

/// One request over a socket of its own, seen byte by byte, which no HTTP library lets us do.
struct WireClient: Sendable {
    var token: String?
    /// How long silence is waited for; a watchdog except where silence is what is expected.
    var patienceSeconds = 20

    /// - Parameter sendOnly: send only so many bytes of the body, then close.
    func send(
        _ method: String, _ url: String, headers: [String: String] = [:], body: [UInt8] = [],
        sendOnly: Int? = nil
    ) async -> WireAnswer {
        // A thread of its own: blocked tests must not take the server's threads away.
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    returning: exchange(method, url, headers, body, sendOnly: sendOnly))
            }
        }
    }

    func get(_ url: String, headers: [String: String] = [:]) async -> WireAnswer {
        await send("GET", url, headers: headers)
    }

    /// Follows redirects, as clients do, without the token on another host.
    func follow(_ url: String, headers: [String: String] = [:]) async -> WireAnswer {
        var url = url
        var client = self
        for _ in 0..<5 {
            let answer = await client.get(url, headers: headers)
            guard let location = answer.headers["location"], (300..<400).contains(answer.status)
            else { return answer }
            if !location.hasPrefix("/") { client.token = nil }
            url = location.hasPrefix("/") ? Self.origin(of: url) + location : location
        }
        return WireAnswer()
    }

    func post(_ url: String, json: Any) async -> WireAnswer {
        let body = (try? JSONSerialization.data(withJSONObject: json)) ?? Data()
        return await send(
            "POST", url, headers: ["Content-Type": "application/json"], body: Array(body))
    }

    static func origin(of url: String) -> String {
        let parts = url.split(separator: "/", maxSplits: 2)
        return parts[0] + "//" + parts[1]
    }

    // MARK: The exchange

    private func exchange(
        _ method: String, _ url: String, _ headers: [String: String], _ body: [UInt8],
        sendOnly: Int?
    ) -> WireAnswer {
        let parts = url.split(separator: "/", maxSplits: 2).map(String.init)
        let port = UInt16(parts[1].split(separator: ":").last ?? "") ?? 0
        let fd = connect(port)
        defer { close(fd) }
        var head = "\(method) /\(parts.count > 2 ? parts[2] : "") HTTP/1.1\r\nHost: \(parts[1])\r\n"
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if !body.isEmpty || method == "POST" { head += "Content-Length: \(body.count)\r\n" }
        write(Array((head + "\r\n").utf8), fd)
        write(Array(body.prefix(sendOnly ?? body.count)), fd)
        if sendOnly != nil { return WireAnswer() }
        return receive(fd, isHead: method == "HEAD")
    }

    private func connect(_ port: UInt16) -> Int32 {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var patience = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        setsockopt(
            fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        return fd
    }

    private func write(_ bytes: [UInt8], _ fd: Int32) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    fd, $0.baseAddress.map { $0 + sent }, bytes.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    private func receive(_ fd: Int32, isHead: Bool) -> WireAnswer {
        var all: [UInt8] = []
        var answer = WireAnswer()
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(fd, &piece, piece.count, 0)
            if count < 0 {
                answer.ending = errno == ECONNRESET ? .reset : .silence
                break
            }
            all += piece[..<max(0, count)]
            let isWhole = parse(all, isHead: isHead, &answer)
            if isWhole { answer.ending = .complete }
            if isWhole || count == 0 { break }
        }
        answer.byteCount = all.count
        return answer
    }

    /// - Returns: whether the answer is whole.
    private func parse(_ all: [UInt8], isHead: Bool, _ answer: inout WireAnswer) -> Bool {
        guard let end = Data(all).range(of: Data("\r\n\r\n".utf8)) else { return false }
        if answer.status == 0 {
            let lines = String(decoding: all[..<end.lowerBound], as: UTF8.self)
                .components(separatedBy: "\r\n")
            answer.status = Int(lines[0].split(separator: " ")[1]) ?? 0
            for line in lines.dropFirst() {
                let sides = line.split(separator: ":", maxSplits: 1)
                answer.headers[sides[0].lowercased()] =
                    sides.count > 1 ? sides[1].trimmingCharacters(in: .whitespaces) : ""
            }
        }
        answer.body = Array(all[end.upperBound...])
        if isHead || answer.status == 304 { return true }
        if answer.headers["transfer-encoding"] == "chunked" {
            guard let body = Self.dechunked(answer.body) else { return false }
            answer.body = body
            return true
        }
        guard let length = answer.headers["content-length"].flatMap({ Int($0) }) else {
            return false
        }
        return answer.body.count >= length
    }

    /// - Returns: nil if the last chunk is not there yet.
    private static func dechunked(_ bytes: [UInt8]) -> [UInt8]? {
        var rest = bytes[...]
        var body: [UInt8] = []
        while let end = rest.firstIndex(of: 0x0a) {
            let line = String(decoding: rest[..<end], as: UTF8.self)
            guard let size = Int(line.trimmingCharacters(in: .whitespacesAndNewlines), radix: 16)
            else { return nil }
            if size == 0 { return body }
            let start = end + 1
            guard start + size + 2 <= rest.endIndex else { return nil }
            body += rest[start..<(start + size)]
            rest = rest[(start + size + 2)...]
        }
        return nil
    }
}
