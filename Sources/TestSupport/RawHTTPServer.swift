import Glibc
import Platform

/// A small honest HTTP/1.1 server on a loopback port, for answers no decent server gives.
///
/// A test says how each request is answered, down to bytes that never come. Every request is
/// recorded. One thread per connection; `close` ends them all.
package final class RawHTTPServer: Sendable {
    package struct Request: Sendable {
        package let method: String
        /// Path and query, as sent.
        package let target: String
        /// Names in lowercase.
        package let headers: [String: String]
        package let body: [UInt8]
        /// Counts connections from 0.
        package let connection: Int

        package var path: String { String(target.prefix { $0 != "?" }) }

        /// The asked bytes, for `Range: bytes=a-b`.
        package var range: Range<Int>? {
            guard let text = headers["range"], text.hasPrefix("bytes=") else { return nil }
            let ends = text.dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) }
            return ends.count == 2 && ends[0] <= ends[1] ? ends[0]..<ends[1] + 1 : nil
        }
    }

    package struct Answer: Sendable {
        /// How far the body comes, and what happens then.
        package enum End: Sendable {
            case whole
            /// The connection is closed after so many bytes of the body.
            case cut(afterByteCount: Int)
            /// The connection is reset after so many bytes of the body.
            case reset(afterByteCount: Int)
            /// Nothing more comes after so many bytes of the body, until `close`.
            case stall(afterByteCount: Int)
            /// Nothing comes at all, not even a head.
            case silence
        }

        package var status: Int
        package var headers: [(String, String)]
        package var body: [UInt8]
        package var end: End
        /// Sent as they are instead of head and body, then the connection is closed.
        package var rawBytes: [UInt8]?

        package init(
            _ status: Int, headers: [(String, String)] = [], body: [UInt8] = [],
            end: End = .whole, rawBytes: [UInt8]? = nil
        ) {
            self.status = status
            self.headers = headers
            self.body = body
            self.end = end
            self.rawBytes = rawBytes
        }

        package init(_ status: Int, headers: [(String, String)] = [], json: String) {
            self.init(
                status, headers: headers + [("Content-Type", "application/json")],
                body: Array(json.utf8))
        }

        /// The correct answer to a request for a range of `content`, or for all of it.
        package static func range(of content: [UInt8], for request: Request) -> Answer {
            guard let range = request.range else { return Answer(200, body: content) }
            guard range.upperBound <= content.count else {
                return Answer(416, headers: [("Content-Range", "bytes */\(content.count)")])
            }
            let field = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(content.count)"
            return Answer(206, headers: [("Content-Range", field)], body: Array(content[range]))
        }

        package func ending(_ end: End) -> Answer {
            var answer = self
            answer.end = end
            return answer
        }
    }

    package typealias Handler = @Sendable (Request, _ index: Int) -> Answer

    private struct State {
        var requests: [Request] = []
        var connections: Set<Int32> = []
        var threads: [Thread] = []
        var connectionCount = 0
        var isClosed = false
    }

    private let state = Monitor(State())
    private let listener: Int32
    package let port: UInt16
    private let hostName: String

    /// - Parameters:
    ///   - hostName: What `url` shows; the server listens on 127.0.0.1 all the same. A second name
    ///     makes a second origin.
    ///   - handler: Answers one request; `index` counts all requests of this server from 0.
    package init(hostName: String = "127.0.0.1", _ handler: @escaping Handler) {
        signal(SIGPIPE, SIG_IGN)
        self.hostName = hostName
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        precondition(listener >= 0, "no socket")
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = self.listener
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, length) == 0 && listen(listener, 128) == 0
                    && getsockname(listener, generic, &length) == 0
            }
        }
        precondition(isBound, "no loopback port")
        port = UInt16(bigEndian: address.sin_port)
        let accepting = Thread(name: "raw-http") { [self] in acceptAll(handler) }
        state.update { $0.threads.append(accepting) }
    }

    /// `http://host:port`, without a slash at its end.
    package var url: String { "http://\(hostName):\(port)" }

    /// What has been asked so far.
    package var requests: [Request] { state.update { $0.requests } }

    package var connectionCount: Int { state.update { $0.connectionCount } }

    /// Waits until `count` requests have come.
    ///
    /// - Returns: false when they did not within ten seconds.
    package func waitForRequests(_ count: Int) -> Bool {
        state.wait(until: .now.advanced(bySeconds: 10)) { $0.requests.count >= count ? true : nil }
            ?? false
    }

    /// Ends every connection and thread. Further calls do nothing.
    package func close() {
        // Descriptors are only used under the lock while they are known to be open: a number that
        // was closed may already name another server's socket.
        let isFirst = state.update { state in
            guard !state.isClosed else { return false }
            state.isClosed = true
            shutdown(listener, Int32(SHUT_RDWR))
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
            return true
        }
        guard isFirst else { return }
        let accepting = state.update { $0.threads.removeFirst() }
        accepting.join()
        // The accepting thread has ended, so nobody adds threads any more.
        let serving = state.update { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in serving { thread.join() }
        Glibc.close(listener)
    }

    private func acceptAll(_ handler: @escaping Handler) {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 { return }
            let number: Int? = state.update { state in
                guard !state.isClosed else { return nil }
                state.connections.insert(connection)
                defer { state.connectionCount += 1 }
                return state.connectionCount
            }
            guard let number else {
                Glibc.close(connection)
                return
            }
            let thread = Thread(name: "raw-http-\(number)") { [self] in
                serve(connection, number: number, handler)
            }
            state.update { $0.threads.append(thread) }
        }
    }

    private func serve(_ socket: Int32, number: Int, _ handler: Handler) {
        var connection = RawConnection(socket)
        while let request = connection.nextRequest(number: number) {
            let index = state.update { state in
                state.requests.append(request)
                return state.requests.count - 1
            }
            let answer = handler(request, index)
            guard connection.send(answer, isHead: request.method == "HEAD") else { break }
        }
        state.update { state in
            state.connections.remove(socket)
            Glibc.close(socket)
        }
    }
}

/// One connection: reads requests, writes answers.
private struct RawConnection {
    private let socket: Int32
    private var received: [UInt8] = []

    init(_ socket: Int32) { self.socket = socket }

    /// - Returns: nil when the client has closed the connection.
    mutating func nextRequest(number: Int) -> RawHTTPServer.Request? {
        let blankLine = Array("\r\n\r\n".utf8)
        var headEnd = received.firstRange(of: blankLine)
        while headEnd == nil {
            guard receive() else { return nil }
            headEnd = received.firstRange(of: blankLine)
        }
        guard let headEnd else { return nil }
        let lines = String(decoding: received[..<headEnd.lowerBound], as: UTF8.self)
            .split(separator: "\r\n")
        received.removeFirst(headEnd.upperBound)
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 {
                headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
            }
        }
        let bodyCount = headers["content-length"].flatMap { Int($0) } ?? 0
        while received.count < bodyCount {
            guard receive() else { return nil }
        }
        let body = Array(received[..<bodyCount])
        received.removeFirst(bodyCount)
        let words = lines[0].split(separator: " ")
        guard words.count == 3 else { return nil }
        return RawHTTPServer.Request(
            method: String(words[0]), target: String(words[1]), headers: headers, body: body,
            connection: number)
    }

    /// - Returns: false when the connection is over.
    func send(_ answer: RawHTTPServer.Answer, isHead: Bool) -> Bool {
        if let rawBytes = answer.rawBytes {
            _ = write(rawBytes)
            return false
        }
        if case .silence = answer.end {
            waitForClose()
            return false
        }
        guard write(head(answer)) else { return false }
        if isHead { return true }
        switch answer.end {
        case .silence: return false
        case .whole: return write(answer.body)
        case .cut(let count):
            _ = write(Array(answer.body.prefix(count)))
        case .reset(let count):
            _ = write(Array(answer.body.prefix(count)))
            // Closing with this option and unread state sends RST instead of FIN.
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(
                socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        case .stall(let count):
            _ = write(Array(answer.body.prefix(count)))
            waitForClose()
        }
        return false
    }

    private func head(_ answer: RawHTTPServer.Answer) -> [UInt8] {
        var text = "HTTP/1.1 \(answer.status) Whatever\r\n"
        for (name, value) in answer.headers { text += "\(name): \(value)\r\n" }
        let names = answer.headers.map { $0.0.lowercased() }
        if !names.contains("content-length"), !names.contains("transfer-encoding") {
            text += "Content-Length: \(answer.body.count)\r\n"
        }
        return Array((text + "\r\n").utf8)
    }

    /// Until the client goes away or the server is closed.
    private func waitForClose() {
        var byte: UInt8 = 0
        while recv(socket, &byte, 1, 0) > 0 {}
    }

    private mutating func receive() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &buffer, buffer.count, 0)
        if count > 0 { received += buffer[..<count] }
        return count > 0
    }

    private func write(_ bytes: [UInt8]) -> Bool {
        var sentCount = 0
        while sentCount < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    socket, buffer.baseAddress?.advanced(by: sentCount), buffer.count - sentCount,
                    Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sentCount += count
        }
        return true
    }
}
