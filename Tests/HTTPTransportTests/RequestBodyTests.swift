import Glibc
import Platform
import SystemPackage
import TestSupport
import Testing

@testable import HTTPTransport

/// Bodies that are sent, over real sockets.
@Suite(.timeLimit(.minutes(5)))
struct RequestBodyTests {
    private static let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

    /// A file of the content, open for reading, gone after the test.
    private func withFile(
        _ bytes: [UInt8] = Self.content, _ body: (FileDescriptor) throws -> Void
    ) throws {
        let folder = ScratchFolder()
        defer { folder.remove() }
        let file = try FileDescriptor.open(
            folder.path.appending("content"), .readWrite, options: [.create],
            permissions: .ownerReadWrite)
        defer { try? file.close() }
        try file.writeAll(bytes)
        try body(file)
    }

    private func withTransport<Result>(
        _ configuration: HTTPTransport.Configuration = .init(),
        _ body: (HTTPTransport) throws -> Result
    ) rethrows -> Result {
        let transport = HTTPTransport(configuration: configuration)
        defer { transport.shutdown() }
        return try body(transport)
    }

    private func error(
        _ transport: HTTPTransport, _ request: HTTPRequest
    ) -> HTTPTransportError? {
        do throws(HTTPTransportError) {
            _ = try transport.perform(request, bodyByteCountMax: 1 << 20)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        (HTTPRequest.Method.put, UInt64(0)..<3_000_000), (.put, 17..<2_999_999), (.put, 5..<5),
        (.post, 1..<2_500_000), (.post, 7..<7), (.delete, 0..<100),
    ])
    func aRangeOfAFileIsSent(method: HTTPRequest.Method, range: Range<UInt64>) throws {
        let server = RawHTTPServer { _, _ in .init(200, body: [1]) }
        defer { server.close() }
        try withFile { file in
            try withTransport { transport in
                let request = HTTPRequest(
                    method: method, url: server.url + "/x", body: .file(file, range),
                    lane: .upload)
                let response = try transport.perform(request, bodyByteCountMax: 9)
                #expect(response.head.status == 200)
            }
        }
        let asked = try #require(server.requests.first)
        #expect(server.requests.count == 1)
        #expect(asked.method == method.rawValue)
        #expect(asked.body == Array(Self.content[Int(range.lowerBound)..<Int(range.upperBound)]))
        #expect(asked.headers["content-length"] == "\(range.count)")
        #expect(asked.headers["expect"] == nil)
        #expect(asked.headers["transfer-encoding"] == nil)
    }

    @Test func aDeletionMayHaveNoBody() throws {
        let server = RawHTTPServer { _, _ in .init(200) }
        defer { server.close() }
        try withTransport { transport in
            let request = HTTPRequest(method: .delete, url: server.url + "/x")
            _ = try transport.perform(request, bodyByteCountMax: 9)
            _ = try transport.perform(.init(url: server.url + "/y"), bodyByteCountMax: 9)
        }
        #expect(server.requests.map(\.method) == ["DELETE", "GET"])
        #expect(server.requests.allSatisfy { $0.body.isEmpty })
    }

    @Test func aFileThatEndsEarlyEndsTheRequest() throws {
        let server = RawHTTPServer { _, _ in .init(200) }
        defer { server.close() }
        try withFile { file in
            withTransport { transport in
                let found = error(
                    transport,
                    .init(
                        method: .put, url: server.url, body: .file(file, 0..<3_000_001),
                        lane: .upload))
                #expect(found == .unreadableBody("the file ends at byte 3000000"))
            }
        }
        #expect(server.requests.isEmpty)
    }

    @Test func aServerThatReadsNothingIsAStall() throws {
        let server = SocketServer { socket in _ = readHead(socket) }
        defer { server.close() }
        try withFile([]) { file in
            try file.truncate(to: 64 << 20)
            let sent = Guarded<UInt64>(0)
            withTransport { transport in
                let end = Monitor<Result<HTTPResponse, HTTPTransportError>?>(nil)
                transport.collect(
                    .init(
                        method: .put, url: server.url, body: .file(file, 0..<64 << 20),
                        lane: .upload, bounds: HTTPBounds(stallSeconds: 0.5)),
                    bodyByteCountMax: 9, sent: { byteCount in sent.withLock { $0 = byteCount } }
                ) { result in end.update { $0 = result } }
                guard case .failure(.stalled(0)) = end.wait({ $0 }) else {
                    Issue.record("no stall")
                    return
                }
            }
            #expect((1..<64 << 20).contains(sent.withLock { $0 }))
        }
    }

    @Test func aSlowReaderIsNoStall() throws {
        let received = Guarded(0)
        let byteCount = 12 << 20
        let server = SocketServer { socket in
            _ = readHead(socket)
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while received.withLock({ $0 }) < byteCount {
                usleep(100_000)
                let count = recv(socket, &buffer, buffer.count, Int32(MSG_WAITALL))
                if count <= 0 { return }
                received.withLock { $0 += count }
            }
            write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", to: socket)
        }
        defer { server.close() }
        try withFile([]) { file in
            try file.truncate(to: UInt64(byteCount))
            let found = withTransport { transport in
                // Less than the whole takes, more than any piece of it.
                error(
                    transport,
                    .init(
                        method: .put, url: server.url, body: .file(file, 0..<UInt64(byteCount)),
                        lane: .upload, bounds: HTTPBounds(stallSeconds: 1)))
            }
            #expect(found == nil)
            #expect(received.withLock { $0 } == byteCount)
        }
    }

    @Test func whatTheNetworkHasTakenIsTold() throws {
        let server = RawHTTPServer { _, _ in .init(200) }
        defer { server.close() }
        let byteCount: UInt64 = 32 << 20
        let steps = Guarded<[UInt64]>([])
        try withFile([]) { file in
            try file.truncate(to: byteCount)
            withTransport { transport in
                let end = Monitor<Result<HTTPResponse, HTTPTransportError>?>(nil)
                transport.collect(
                    .init(
                        method: .put, url: server.url, body: .file(file, 0..<byteCount),
                        lane: .upload),
                    bodyByteCountMax: 9, sent: { count in steps.withLock { $0.append(count) } }
                ) { result in end.update { $0 = result } }
                guard case .success = end.wait({ $0 }) else {
                    Issue.record("not sent")
                    return
                }
            }
        }
        let told = steps.withLock { $0 }
        #expect(told == told.sorted() && told.last == byteCount)
        // A piece is a mebibyte at most.
        #expect(told.count >= 32)
    }

    @Test func anAnswerBeforeTheEndOfTheBodyIsTheAnswer() throws {
        let server = SocketServer { socket in
            _ = readHead(socket)
            write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno", to: socket)
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while recv(socket, &buffer, buffer.count, 0) > 0 {}
        }
        defer { server.close() }
        try withFile([]) { file in
            try file.truncate(to: 64 << 20)
            let response = try withTransport { transport in
                try transport.perform(
                    .init(
                        method: .post, url: server.url, body: .file(file, 0..<64 << 20),
                        lane: .upload),
                    bodyByteCountMax: 9)
            }
            #expect(response.head.status == 413)
            #expect(response.body == Array("no".utf8))
        }
    }

    /// The first answer keeps the connection, which then breaks without one.
    private func forgetful() -> RawHTTPServer {
        RawHTTPServer { _, index in index == 1 ? .init(0, rawBytes: []) : .init(200) }
    }

    @Test func aBodyIsReadAgainWhenAWarmConnectionWasClosed() throws {
        let server = forgetful()
        defer { server.close() }
        try withFile { file in
            try withTransport { transport in
                _ = try transport.perform(
                    .init(url: server.url, lane: .upload), bodyByteCountMax: 9)
                let request = HTTPRequest(
                    method: .put, url: server.url, body: .file(file, 1..<2_000_000), lane: .upload)
                _ = try transport.perform(request, bodyByteCountMax: 9)
            }
        }
        let bodies = server.requests.dropFirst().map(\.body)
        #expect(bodies.count == 2)
        #expect(bodies.allSatisfy { $0 == Array(Self.content[1..<2_000_000]) })
    }

    @Test func whatIsSentOnceIsSentOnce() throws {
        let server = forgetful()
        defer { server.close() }
        try withFile { file in
            try withTransport { transport in
                _ = try transport.perform(
                    .init(url: server.url, lane: .upload), bodyByteCountMax: 9)
                let request = HTTPRequest(
                    method: .post, url: server.url, body: .file(file, 0..<100_000), lane: .upload,
                    isSentOnce: true)
                guard case .connectionLost = error(transport, request) else {
                    Issue.record("no lost connection")
                    return
                }
            }
        }
        #expect(server.requests.count == 2)
        #expect(server.connectionCount == 2)
    }

    @Test func uploadsDoNotHoldUpTheOthers() throws {
        let server = RawHTTPServer { request, _ in
            request.method == "PUT" ? .init(200, end: .silence) : .init(200, body: [1])
        }
        defer { server.close() }
        let configuration = HTTPTransport.Configuration(
            threadCount: 1, smallCountPerHostMax: 1, uploadCountPerHostMax: 1)
        try withFile { file in
            try withTransport(configuration) { transport in
                let uploads = (0..<3).map { _ in
                    transport.collect(
                        .init(
                            method: .put, url: server.url, body: .file(file, 0..<10), lane: .upload
                        ), bodyByteCountMax: 9
                    ) { _ in }
                }
                #expect(server.waitForRequests(1))
                let response = try transport.perform(.init(url: server.url), bodyByteCountMax: 9)
                #expect(response.body == [1])
                #expect(server.requests.map(\.method) == ["PUT", "GET"])
                for upload in uploads { upload.cancel() }
            }
        }
    }

    @Test func aBodyIsNoMatterOfReading() {
        withTransport { transport in
            let request = HTTPRequest(url: "http://127.0.0.1:1/", body: .bytes([1]))
            #expect(error(transport, request) == .badURL)
        }
    }
}
