import Platform
import TestSupport
import Testing

@testable import HTTPTransport

/// Over real sockets. Time-outs are short so that faults show soon; no test asserts on time.
struct HTTPTransportTests {
    private func withServer<Result>(
        _ handler: @escaping RawHTTPServer.Handler,
        _ body: (RawHTTPServer, HTTPTransport) throws -> Result
    ) rethrows -> Result {
        try withServer(.init(), handler, body)
    }

    private func withServer<Result>(
        _ configuration: HTTPTransport.Configuration,
        _ handler: @escaping RawHTTPServer.Handler,
        _ body: (RawHTTPServer, HTTPTransport) throws -> Result
    ) rethrows -> Result {
        let server = RawHTTPServer(handler)
        let transport = HTTPTransport(configuration: configuration)
        defer {
            transport.shutdown()
            server.close()
        }
        return try body(server, transport)
    }

    private func failure(
        of answer: RawHTTPServer.Answer, bounds: HTTPBounds = HTTPBounds()
    ) -> HTTPTransportError? {
        withServer({ _, _ in answer }) { server, transport in
            let request = HTTPRequest(url: server.url + "/x", bounds: bounds)
            do throws(HTTPTransportError) {
                _ = try transport.perform(request, bodyByteCountMax: 1 << 20)
                return nil
            } catch {
                return error
            }
        }
    }

    @Test func anAnswerComesWhole() throws {
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try withServer({ _, _ in .init(200, headers: [("X-One", " two ")], body: body) }) {
            server, transport in
            let request = HTTPRequest(
                url: server.url + "/a?b=c", headers: [("Authorization", "Bearer t")])
            let response = try transport.perform(request, bodyByteCountMax: 1 << 20)
            #expect(response.head.status == 200)
            #expect(response.head["x-one"] == "two")
            #expect(response.body == body)
            let asked = try #require(server.requests.first)
            #expect(asked.target == "/a?b=c")
            #expect(asked.headers["accept-encoding"] == "identity")
            #expect(asked.headers["authorization"] == "Bearer t")
            #expect(asked.headers["user-agent"] == "hubfs")
        }
    }

    @Test func aPostCarriesItsBody() throws {
        try withServer({ request, _ in .init(200, body: request.body) }) { server, transport in
            let body = Array("paths=a&paths=b".utf8)
            let request = HTTPRequest(method: .post, url: server.url, body: .bytes(body))
            let response = try transport.perform(request, bodyByteCountMax: 100)
            #expect(response.body == body)
            #expect(server.requests.map(\.method) == ["POST"])
        }
    }

    @Test func aHeadRequestHasNoBody() throws {
        try withServer({ _, _ in .init(200, headers: [("Content-Length", "12345")]) }) {
            server, transport in
            let request = HTTPRequest(method: .head, url: server.url)
            let response = try transport.perform(request, bodyByteCountMax: 0)
            #expect(response.head["content-length"] == "12345")
            #expect(response.body == [])
        }
    }

    @Test func requestsOneAfterAnotherShareAConnection() throws {
        try withServer({ _, _ in .init(200, body: [1]) }) { server, transport in
            for _ in 0..<5 {
                _ = try transport.perform(.init(url: server.url), bodyByteCountMax: 10)
            }
            #expect(server.requests.count == 5)
            #expect(server.connectionCount == 1)
        }
    }

    @Test func redirectsAreAnswersAndNotFollowed() throws {
        try withServer({ _, _ in .init(302, headers: [("Location", "/b")]) }) { server, transport in
            let response = try transport.perform(.init(url: server.url), bodyByteCountMax: 10)
            #expect(response.head.status == 302)
            #expect(server.requests.count == 1)
        }
    }

    @Test func interimAnswersAreSkipped() throws {
        let text =
            "HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n"
            + "Content-Length: 2\r\n\r\nok"
        try withServer({ _, _ in .init(0, rawBytes: Array(text.utf8)) }) { server, transport in
            let response = try transport.perform(.init(url: server.url), bodyByteCountMax: 10)
            #expect(response.head.status == 200)
            #expect(response.head["link"] == nil)
            #expect(response.body == Array("ok".utf8))
        }
    }

    @Test(arguments: [0, 1, 500])
    func aCutBodyIsALostConnection(count: Int) throws {
        let body = [UInt8](repeating: 7, count: 1000)
        let cut = failure(of: .init(200, body: body, end: .cut(afterByteCount: count)))
        guard case .connectionLost(UInt64(count), _) = try #require(cut) else {
            Issue.record("\(String(describing: cut))")
            return
        }
    }

    @Test func aResetIsALostConnection() throws {
        let body = [UInt8](repeating: 7, count: 1000)
        let reset = failure(of: .init(200, body: body, end: .reset(afterByteCount: 10)))
        guard case .connectionLost = try #require(reset) else {
            Issue.record("\(String(describing: reset))")
            return
        }
    }

    @Test func aStalledBodyEnds() {
        let body = [UInt8](repeating: 7, count: 1000)
        let error = failure(
            of: .init(200, body: body, end: .stall(afterByteCount: 10)),
            bounds: HTTPBounds(stallSeconds: 0.2))
        #expect(error == .stalled(receivedByteCount: 10))
    }

    @Test func silenceInsteadOfAHeadEnds() {
        let error = failure(
            of: .init(200, end: .silence), bounds: HTTPBounds(stallSeconds: 0.2))
        #expect(error == .stalled(receivedByteCount: 0))
    }

    @Test func theTotalTimeIsBounded() {
        let error = failure(
            of: .init(200, end: .silence), bounds: HTTPBounds(stallSeconds: 20, totalSeconds: 0.2))
        #expect(error == .timedOut)
    }

    @Test func anAnswerThatIsNotHTTPIsMalformed() {
        let error = failure(of: .init(0, rawBytes: Array("SSH-2.0-OpenSSH\r\n".utf8)))
        guard let error, [.malformed("")].contains(error.withoutReason) else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aHugeHeadIsMalformed() {
        let headers = (0..<200).map { ("X-\($0)", String(repeating: "x", count: 1000)) }
        #expect(failure(of: .init(200, headers: headers))?.withoutReason == .malformed(""))
    }

    @Test func aBodyOverTheLimitEnds() {
        let body = [UInt8](repeating: 7, count: (1 << 20) + 1)
        #expect(failure(of: .init(200, body: body)) == .bodyTooLarge(byteCountMax: 1 << 20))
    }

    @Test func nobodyListeningIsAConnectError() {
        let server = RawHTTPServer { _, _ in .init(200) }
        let url = server.url
        server.close()
        let transport = HTTPTransport()
        defer { transport.shutdown() }
        #expect(error(transport, url)?.withoutReason == .connect(""))
    }

    @Test(arguments: ["", "ftp://a/", "no url", "http://", "http://a b/"])
    func whatIsNoURLIsRefused(url: String) {
        let transport = HTTPTransport()
        defer { transport.shutdown() }
        #expect(error(transport, url) == .badURL)
    }

    @Test func aLineEndCannotSmuggleAHeader() {
        withServer({ _, _ in .init(200) }) { server, transport in
            let request = HTTPRequest(url: server.url, headers: [("X", "a\r\nY: b")])
            #expect(throws: HTTPTransportError.badURL) {
                try transport.perform(request, bodyByteCountMax: 1)
            }
            #expect(server.requests.isEmpty)
        }
    }

    private func error(_ transport: HTTPTransport, _ url: String) -> HTTPTransportError? {
        do throws(HTTPTransportError) {
            _ = try transport.perform(.init(url: url), bodyByteCountMax: 10)
            return nil
        } catch {
            return error
        }
    }

    @Test func aRequestUnderWayCanBeCancelled() {
        withServer({ _, _ in .init(200, end: .silence) }) { server, transport in
            let receiver = Recorder()
            let transfer = transport.submit(.init(url: server.url), to: receiver)
            #expect(server.waitForRequests(1))
            transfer.cancel()
            transfer.cancel()
            #expect(receiver.waitForEnd() == .failure(.cancelled))
        }
    }

    @Test func aWaitingRequestCanBeCancelled() {
        withServer(.init(smallCountPerHostMax: 1), { _, _ in .init(200, end: .silence) }) {
            server, transport in
            let first = transport.submit(.init(url: server.url), to: Recorder())
            let receiver = Recorder()
            transport.submit(.init(url: server.url), to: receiver).cancel()
            #expect(receiver.waitForEnd() == .failure(.cancelled))
            first.cancel()
        }
    }

    @Test func aWaitInTheQueueIsBounded() {
        withServer(.init(smallCountPerHostMax: 1), { _, _ in .init(200, end: .silence) }) {
            server, transport in
            transport.submit(.init(url: server.url), to: Recorder())
            let receiver = Recorder()
            let bounds = HTTPBounds(queueSeconds: 0.1)
            transport.submit(.init(url: server.url, bounds: bounds), to: receiver)
            #expect(receiver.waitForEnd() == .failure(.queuedTooLong))
        }
    }

    @Test func aReceiverEndsItsRequest() {
        let body = [UInt8](repeating: 7, count: 1 << 20)
        withServer({ _, _ in .init(200, body: body) }) { server, transport in
            let receiver = Recorder(byteCountMax: 10)
            transport.submit(.init(url: server.url), to: receiver)
            #expect(receiver.waitForEnd() == .failure(.cancelled))
            #expect(receiver.byteCount > 10)
        }
    }

    @Test func connectionsPerHostAreLimited() {
        let body = [UInt8](repeating: 7, count: 5000)
        withServer(.init(smallCountPerHostMax: 3), { _, _ in .init(200, body: body) }) {
            server, transport in
            let receivers = (0..<60).map { _ in Recorder() }
            for receiver in receivers { transport.submit(.init(url: server.url), to: receiver) }
            for receiver in receivers { #expect(receiver.waitForEnd() == .success) }
            #expect(server.requests.count == 60)
            // Each of the two threads keeps warm connections of its own.
            #expect(server.connectionCount <= 6)
        }
    }

    @Test func shutdownEndsEverything() {
        let server = RawHTTPServer { _, _ in .init(200, end: .silence) }
        defer { server.close() }
        let transport = HTTPTransport(configuration: .init(smallCountPerHostMax: 2))
        let receivers = (0..<6).map { _ in Recorder() }
        for receiver in receivers { transport.submit(.init(url: server.url), to: receiver) }
        #expect(server.waitForRequests(2))
        transport.shutdown()
        for receiver in receivers { #expect(receiver.waitForEnd() == .failure(.cancelled)) }
        let late = Recorder()
        transport.submit(.init(url: server.url), to: late)
        #expect(late.waitForEnd() == .failure(.cancelled))
        #expect(!transport.run {})
    }

    @Test func aLoggedURLHasNoQuery() {
        #expect(HTTPRequest(url: "https://h/a?Signature=s#f").loggedURL == "https://h/a")
    }
}

/// Remembers what it was told, and fails the test when calls come out of order.
private final class Recorder: HTTPReceiver {
    enum End: Equatable {
        case success
        case failure(HTTPTransportError)
    }

    private struct State {
        var hasHead = false
        var byteCount = 0
        var end: End?
    }

    private let state = Monitor(State())
    private let byteCountMax: Int

    init(byteCountMax: Int = .max) { self.byteCountMax = byteCountMax }

    var byteCount: Int { state.update { $0.byteCount } }

    /// - Returns: nil when there was no end within ten seconds.
    func waitForEnd() -> End? {
        state.wait(until: .now.advanced(bySeconds: 10)) { $0.end }
    }

    func head(_ head: HTTPHead) -> Bool {
        state.update { state in
            #expect(!state.hasHead && state.end == nil)
            state.hasHead = true
        }
        return true
    }

    func body(_ bytes: UnsafeRawBufferPointer) -> Bool {
        state.update { state in
            #expect(state.hasHead && state.end == nil)
            state.byteCount += bytes.count
            return state.byteCount <= byteCountMax
        }
    }

    func end(_ result: Result<Void, HTTPTransportError>) {
        state.update { state in
            #expect(state.end == nil)
            switch result {
            case .success: state.end = .success
            case .failure(let error): state.end = .failure(error)
            }
        }
    }
}

extension HTTPTransportError {
    /// The case alone, for errors that carry libcurl's words.
    var withoutReason: HTTPTransportError {
        switch self {
        case .malformed: .malformed("")
        case .connect: .connect("")
        default: self
        }
    }
}
