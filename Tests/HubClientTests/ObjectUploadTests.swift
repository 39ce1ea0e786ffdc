import Logging
import Platform
import SystemPackage
import TestSupport
import Testing

@testable import HubClient

/// Objects on their way to signed URLs, over real sockets.
@Suite(.timeLimit(.minutes(5)))
struct ObjectUploadTests {
    private static let content = (0..<1_000_003).map { UInt8(truncatingIfNeeded: $0 &* 13 >> 4) }
    private static let partByteCount = 100_000
    private static let partCount = 11
    private static let object = LFSObject(
        oid: LFSOID(hex: String(repeating: "e", count: 64))!, size: UInt64(content.count))

    /// The actions the Hub would name: URLs with secrets in their queries.
    private func upload(
        _ fixture: HubFixture, inParts: Bool, verifyAt verify: String? = nil
    ) throws -> LFSUpload {
        var header = ""
        if inParts {
            let urls = (1...Self.partCount).map { number in
                #""\#(number)":"\#(fixture.storage.url)/part/\#(number)?Signature=s3cret""#
            }
            header =
                #","header":{"chunk_size":"\#(Self.partByteCount)",\#(urls.joined(separator: ","))}"#
        }
        let href =
            inParts
            ? fixture.hub.url + "/api/complete_multipart?uploadId=7&signature=s3cret"
            : fixture.storage.url + "/object?Signature=s3cret"
        let verification = verify.map { #","verify":{"href":"\#($0)"}"# } ?? ""
        let text = #"{"upload":{"href":"\#(href)"\#(header)}\#(verification)}"#
        let json = try #require(JSON(Array(text.utf8)))
        let routes = try #require(fixture.client.routes)
        return try LFSUpload(json, of: Self.object, routes: routes)
    }

    /// Numbers the requests for each path, and answers uploads rightly where `fault` does not.
    private func storage(
        _ fault:
            @escaping @Sendable (RawHTTPServer.Request, _ number: Int) ->
            RawHTTPServer.Answer? = { _, _ in nil }
    ) -> RawHTTPServer.Handler {
        let counts = Guarded<[String: Int]>([:])
        return { request, _ in
            let number = counts.withLock { counts in
                counts[request.path, default: 0] += 1
                return counts[request.path]!
            }
            if let answer = fault(request, number) { return answer }
            let name = request.path.split(separator: "/").last ?? ""
            return .init(200, headers: [("ETag", "\"tag-\(name)\"")])
        }
    }

    private func send(
        _ upload: LFSUpload, _ fixture: HubFixture, _ bytes: [UInt8] = Self.content,
        progress: @escaping @Sendable (UInt64) -> Void = { _ in }
    ) throws -> Result<Void, UploadFailure> {
        let file = try TestFile(bytes)
        return waitForAnswer { completion in
            fixture.client.upload(
                upload, from: file.file, progress: progress, completion: completion)
        }
    }

    private func failure(_ result: Result<Void, UploadFailure>) -> UploadFailure? {
        if case .failure(let failure) = result { failure } else { nil }
    }

    // MARK: Whole

    @Test func anObjectIsSentWholeAndVerified() throws {
        let fixture = HubFixture(hub: { _, _ in .init(200, json: "{}") }, storage: storage())
        let sent = Guarded<[UInt64]>([])
        let result = try send(
            upload(fixture, inParts: false, verifyAt: fixture.hub.url + "/v.git/info/lfs/verify"),
            fixture
        ) { byteCount in sent.withLock { $0.append(byteCount) } }
        #expect(failure(result) == nil)
        let put = try #require(fixture.storage.requests.first)
        #expect(fixture.storage.requests.count == 1)
        #expect(put.method == "PUT" && put.target == "/object?Signature=s3cret")
        #expect(put.body == Self.content)
        #expect(put.headers["authorization"] == nil)
        #expect(put.headers["content-type"] == nil)
        #expect(put.headers["content-length"] == "\(Self.content.count)")
        let verify = try #require(fixture.hub.requests.first)
        #expect(verify.method == "POST" && verify.target == "/v.git/info/lfs/verify")
        #expect(verify.headers["authorization"] == "Bearer hf_secret")
        #expect(
            String(decoding: verify.body, as: UTF8.self)
                == #"{"oid":"\#(Self.object.oid.hex)","size":1000003}"#)
        let steps = sent.withLock { $0 }
        #expect(steps.last == UInt64(Self.content.count))
        #expect(steps == steps.sorted())
        let counts = fixture.client.counters.snapshot
        #expect(counts.bytesSent == [.cdn: UInt64(Self.content.count)])
    }

    @Test func anotherServersVerificationGetsNoToken() throws {
        let fixture = HubFixture(storage: storage())
        let result = try send(
            upload(fixture, inParts: false, verifyAt: fixture.storage.url + "/verify"), fixture)
        #expect(failure(result) == nil)
        #expect(fixture.storage.requests.map(\.path) == ["/object", "/verify"])
        #expect(fixture.storage.requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test(arguments: [
        RawHTTPServer.Answer(503), .init(500), .init(429), .init(0, rawBytes: []),
        .init(200, end: .silence), .init(0, rawBytes: Array("no HTTP\r\n\r\n".utf8)),
        .init(400, body: Array("<Error><Code>RequestTimeout</Code></Error>".utf8)),
    ])
    func whatBreaksOffIsSentAgain(answer: RawHTTPServer.Answer) throws {
        let fixture = HubFixture(storage: storage { _, number in number == 1 ? answer : nil })
        #expect(failure(try send(upload(fixture, inParts: false), fixture)) == nil)
        #expect(fixture.storage.requests.map(\.body) == [Self.content, Self.content])
        #expect(fixture.client.counters.snapshot.retries == 1)
    }

    @Test func retriesEnd() throws {
        let fixture = HubFixture(storage: storage { _, _ in .init(503) })
        let found = failure(try send(upload(fixture, inParts: false), fixture))
        guard case .failed(.status(let refusal)) = found else {
            Issue.record("\(String(describing: found))")
            return
        }
        #expect(refusal.status == 503)
        // The first try, and one after each of the six waits.
        #expect(fixture.storage.requests.count == 7)
    }

    @Test(arguments: [401, 403, 404, 410])
    func anExpiredURLIsForTheCallerToRenew(status: Int) throws {
        let body = Array("<Error><Code>AccessDenied</Code></Error>".utf8)
        let fixture = HubFixture(storage: storage { _, _ in .init(status, body: body) })
        let found = failure(try send(upload(fixture, inParts: false), fixture))
        guard case .expired = found else {
            Issue.record("\(String(describing: found))")
            return
        }
        #expect(fixture.storage.requests.count == 1)
    }

    @Test(arguments: [400, 413, 307])
    func otherRefusalsAreFinal(status: Int) throws {
        let fixture = HubFixture(storage: storage { _, _ in .init(status) })
        let found = failure(try send(upload(fixture, inParts: false), fixture))
        guard case .failed(.status(let refusal)) = found else {
            Issue.record("\(String(describing: found))")
            return
        }
        #expect(refusal.status == status)
        #expect(fixture.storage.requests.count == 1)
    }

    @Test func aFileThatEndsEarlyIsTold() throws {
        let fixture = HubFixture(storage: storage())
        let short = Array(Self.content.dropLast())
        let found = failure(try send(upload(fixture, inParts: false), fixture, short))
        #expect(found == .unreadable("the file ends at byte 1000002"))
        #expect(fixture.storage.requests.isEmpty)
    }

    // MARK: In parts

    private static let complete: RawHTTPServer.Handler = { _, _ in .init(200, json: "{}") }

    @Test func partsAreSentCompletedAndVerified() throws {
        let fixture = HubFixture(hub: Self.complete, storage: storage())
        let last = Guarded<UInt64>(0)
        let result = try send(
            upload(fixture, inParts: true, verifyAt: fixture.hub.url + "/verify"), fixture
        ) { byteCount in last.withLock { $0 = byteCount } }
        #expect(failure(result) == nil)
        let puts = fixture.storage.requests
        #expect(puts.count == Self.partCount)
        for put in puts {
            let number = Int(put.path.split(separator: "/").last ?? "") ?? 0
            let start = (number - 1) * Self.partByteCount
            let end = min(start + Self.partByteCount, Self.content.count)
            #expect(put.body == Array(Self.content[start..<end]))
            #expect(put.headers["authorization"] == nil)
        }
        #expect(last.withLock { $0 } == UInt64(Self.content.count))
        let asked = fixture.hub.requests
        #expect(asked.map(\.path) == ["/api/complete_multipart", "/verify"])
        #expect(asked[0].target == "/api/complete_multipart?uploadId=7&signature=s3cret")
        #expect(asked[0].headers["authorization"] == nil)
        #expect(asked[0].headers["content-type"] == "application/vnd.git-lfs+json")
        #expect(asked[1].headers["authorization"] == "Bearer hf_secret")
        let parts = (1...Self.partCount).map { number in
            #"{"partNumber":\#(number),"etag":"\"tag-\#(number)\""}"#
        }
        #expect(
            String(decoding: asked[0].body, as: UTF8.self)
                == #"{"oid":"\#(Self.object.oid.hex)","parts":[\#(parts.joined(separator: ","))]}"#)
    }

    @Test func onlyThePartThatFailedIsSentAgain() throws {
        let fixture = HubFixture(
            hub: Self.complete,
            storage: storage { request, number in
                switch (request.path, number) {
                case ("/part/3", 1): .init(503)
                case ("/part/7", 1...2): .init(0, rawBytes: [])
                // A part without a tag cannot be put together.
                case ("/part/11", 1): .init(200)
                default: nil
                }
            })
        #expect(failure(try send(upload(fixture, inParts: true), fixture)) == nil)
        var counts: [String: Int] = [:]
        for put in fixture.storage.requests { counts[put.path, default: 0] += 1 }
        let again = ["/part/3": 2, "/part/7": 3, "/part/11": 2]
        for number in 1...Self.partCount {
            #expect(counts["/part/\(number)"] == again["/part/\(number)", default: 1])
        }
        #expect(fixture.hub.requests.count == 1)
    }

    @Test func aPartThatFailsForGoodEndsTheWhole() throws {
        let fixture = HubFixture(
            hub: Self.complete,
            storage: storage { request, _ in request.path == "/part/2" ? .init(403) : nil })
        let found = failure(try send(upload(fixture, inParts: true), fixture))
        guard case .expired = found else {
            Issue.record("\(String(describing: found))")
            return
        }
        #expect(fixture.storage.requests.count <= 8)
        #expect(fixture.hub.requests.isEmpty)
        // The slots are free again.
        let other = HubFixture(hub: Self.complete, storage: storage())
        #expect(failure(try send(upload(other, inParts: true), fixture)) == nil)
    }

    @Test func completingIsRepeated() throws {
        let fixture = HubFixture(
            hub: { _, index in index == 0 ? .init(503) : .init(200, json: "{}") },
            storage: storage())
        #expect(failure(try send(upload(fixture, inParts: true), fixture)) == nil)
        #expect(fixture.hub.requests.count == 2)
        #expect(fixture.storage.requests.count == Self.partCount)
    }

    @Test func anUploadThatWasClearedAwayHasExpired() throws {
        let fixture = HubFixture(
            hub: { _, _ in .init(404, json: #"{"error":"NoSuchUpload"}"#) }, storage: storage())
        let found = failure(try send(upload(fixture, inParts: true), fixture))
        guard case .expired = found else {
            Issue.record("\(String(describing: found))")
            return
        }
    }

    @Test func fourPartsAreUnderWayAtOnceOverAllUploads() throws {
        let state = Monitor<(running: Int, most: Int)>((0, 0))
        let fixture = HubFixture(
            hub: Self.complete,
            storage: storage { _, _ in
                state.update { state in
                    state.running += 1
                    state.most = max(state.most, state.running)
                }
                // Until four are here, or it is clear that they do not come.
                _ = state.wait(until: .now.advanced(bySeconds: 0.2)) { $0.most >= 4 ? true : nil }
                state.update { $0.running -= 1 }
                return nil
            })
        let file = try TestFile(Self.content)
        let ends = Monitor(0)
        for _ in 0..<6 {
            fixture.client.upload(try upload(fixture, inParts: true), from: file.file) { result in
                #expect(failure(result) == nil)
                ends.update { $0 += 1 }
            }
        }
        _ = ends.wait { $0 == 6 ? true : nil }
        #expect(state.update { $0.most } == 4)
        #expect(fixture.storage.requests.count == 6 * Self.partCount)
    }

    @Test(arguments: [false, true])
    func anUploadCanBeCancelled(inParts: Bool) throws {
        let fixture = HubFixture(
            storage: storage { _, _ in .init(200, end: .silence) },
            adjust: { $0.timeouts.writeStallSeconds = 30 })
        let file = try TestFile(Self.content)
        let upload = try upload(fixture, inParts: inParts)
        let result: Result<Void, UploadFailure> = waitForAnswer { completion in
            let sending = fixture.client.upload(
                upload, from: file.file, completion: completion)
            #expect(fixture.storage.waitForRequests(inParts ? 4 : 1))
            sending.cancel()
        }
        #expect(failure(result) == .failed(.cancelled))
        #expect(fixture.storage.requests.count == (inParts ? 4 : 1))
    }

    @Test func closingEndsUploads() throws {
        let fixture = HubFixture(
            storage: storage { _, _ in .init(200, end: .silence) },
            adjust: { $0.timeouts.writeStallSeconds = 30 })
        let file = try TestFile(Self.content)
        let upload = try upload(fixture, inParts: true)
        let ends = Monitor<[UploadFailure?]>([])
        for _ in 0..<300 {
            fixture.client.upload(upload, from: file.file) { result in
                ends.update { $0.append(failure(result)) }
            }
        }
        #expect(fixture.storage.waitForRequests(4))
        fixture.client.close()
        _ = ends.wait { $0.count == 300 ? true : nil }
        #expect(ends.update { $0 }.allSatisfy { $0 == .failed(.cancelled) })
    }

    // MARK: Secrets

    @Test func noSecretIsLoggedOrTold() throws {
        let log = RecordedLog()
        let storages = [
            storage { _, _ in .init(403, body: Array("Signature=s3cret".utf8)) },
            storage { _, _ in .init(500, body: Array("Signature=s3cret".utf8)) },
            storage { _, _ in .init(0, rawBytes: []) }, storage(),
        ]
        for storage in storages {
            let fixture = HubFixture(
                hub: { _, _ in .init(500, json: #"{"error":"s0mething"}"#) }, storage: storage,
                adjust: { configuration in
                    configuration.logger = log.logger
                    configuration.timeouts.writeSeconds = 1
                })
            for inParts in [false, true] {
                let upload = try upload(
                    fixture, inParts: inParts, verifyAt: fixture.hub.url + "/verify?s3cret")
                log.add("\(upload)")
                log.add(String(reflecting: upload))
                var dumped = ""
                dump(upload, to: &dumped)
                log.add(dumped)
                let found = try #require(failure(try send(upload, fixture)))
                log.add("\(found)")
                switch found {
                case .expired(let error), .failed(let error): log.add(error.sentence)
                case .unreadable: Issue.record("readable")
                }
            }
        }
        let lines = log.lines
        #expect(lines.contains { $0.contains("asking again") })
        #expect(lines.allSatisfy { !$0.contains("s3cret") && !$0.contains("hf_secret") })
    }
}

/// Keeps every line that is logged.
final class RecordedLog: Sendable {
    private let state = Guarded<[String]>([])

    var lines: [String] { state.withLock { $0 } }

    func add(_ line: String) { state.withLock { $0.append(line) } }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(log: self) }
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { log.add("\(event.message) \(event.metadata ?? [:])") }
    }
}
