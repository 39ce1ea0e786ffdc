import Platform
import TestSupport
import Testing

@testable import HubClient

/// Each fault on the way of a content, over real sockets: right bytes, or a clear error in time.
struct ContentFetchTests {
    private static let whole = UInt64(0)..<UInt64(HubFixture.content.count)

    /// Answers the first requests with `faults`, the others as asked.
    private func storage(_ faults: [RawHTTPServer.Answer]) -> RawHTTPServer.Handler {
        { request, index in
            index < faults.count ? faults[index] : .range(of: HubFixture.content, for: request)
        }
    }

    /// Like `storage`, with faults made from the correct answer.
    private func spoiling(
        _ count: Int, _ spoil: @escaping @Sendable (RawHTTPServer.Answer) -> RawHTTPServer.Answer
    ) -> RawHTTPServer.Handler {
        { request, index in
            let right = RawHTTPServer.Answer.range(of: HubFixture.content, for: request)
            return index < count ? spoil(right) : right
        }
    }

    @Test func aRangeComesFromTheStorageWithoutTheToken() throws {
        let fixture = HubFixture()
        #expect(fixture.fetch(1000..<150_000).isRight)
        let asked = try #require(fixture.hub.requests.first)
        #expect(asked.path == "/org/model/resolve/\(HubFixture.commit)/a%20b/m0.bin")
        #expect(asked.headers["authorization"] == "Bearer hf_secret")
        let fetched = try #require(fixture.storage.requests.first)
        #expect(fetched.headers["authorization"] == nil)
        #expect(fetched.headers["range"] == "bytes=1000-149999")
        #expect(fetched.headers["accept-encoding"] == "identity")
        let counts = fixture.client.counters.snapshot
        #expect(counts.requests == [.resolve: 1, .cdn: 1])
        #expect(counts.bytesReceived[.cdn] == 149_000)
    }

    @Test func theHubIsAskedOnceForAFile() {
        let fixture = HubFixture()
        for start in 0..<5 as Range<UInt64> { #expect(fixture.fetch(start..<start + 10).isRight) }
        #expect(fixture.hub.requests.count == 1)
        #expect(fixture.storage.requests.count == 5)
        #expect(fixture.fetch(0..<10, number: 1).isRight)
        #expect(fixture.hub.requests.count == 2)
    }

    @Test func fetchesAtTheSameTimeAskOnce() {
        let fixture = HubFixture()
        let starts = (0..<20).map { UInt64($0 * 100) }
        let all = starts.map { Fetched($0..<$0 + 100) }
        for (index, fetched) in all.enumerated() {
            let start = UInt64(index * 100)
            _ = fixture.client.fetch(
                fixture.location(), range: start..<start + 100,
                priority: index == 0 ? .prefetch : .demand, into: fetched)
        }
        for fetched in all {
            fetched.waitForEnd()
            #expect(fetched.isRight)
        }
        #expect(fixture.hub.requests.count == 1)
    }

    @Test func aSmallFileComesFromTheHubItselfWithTheToken() throws {
        let fixture = HubFixture(hub: { request, _ in
            request.path.hasPrefix("/api/resolve-cache/")
                ? .range(of: HubFixture.content, for: request)
                : .init(307, headers: [("Location", "/api/resolve-cache/models/x?etag=%22e%22")])
        })
        #expect(fixture.fetch(Self.whole).isRight)
        #expect(fixture.fetch(5..<6).isRight)
        let requests = fixture.hub.requests
        #expect(requests.count == 3)
        #expect(requests[1].target == "/api/resolve-cache/models/x?etag=%22e%22")
        #expect(requests.allSatisfy { $0.headers["authorization"] == "Bearer hf_secret" })
        #expect(fixture.storage.requests.isEmpty)
    }

    @Test func aResolveURLMayServeTheBytesItself() {
        let fixture = HubFixture(hub: { request, _ in .range(of: HubFixture.content, for: request) }
        )
        #expect(fixture.fetch(10..<50_000).isRight)
        #expect(fixture.hub.requests.count == 2)
    }

    @Test func aRenamedRepoIsFollowed() {
        let fixture = HubFixture(hub: { request, _ in
            if request.path.hasPrefix("/org/model/") {
                let rest = request.path.dropFirst("/org/model/".count)
                return .init(307, headers: [("Location", "/new/name/\(rest)")])
            }
            return .range(of: HubFixture.content, for: request)
        })
        #expect(fixture.fetch(10..<20).isRight)
    }

    @Test(arguments: [1, 1000, 199_999])
    func aCutBodyIsResumedWhereItWasCut(count: Int) {
        let fixture = HubFixture(
            storage: spoiling(1) { $0.ending(.cut(afterByteCount: count)) })
        #expect(fixture.fetch(Self.whole).isRight)
        let ranges = fixture.storage.requests.map { $0.headers["range"] }
        #expect(ranges == ["bytes=0-199999", "bytes=\(count)-199999"])
        #expect(fixture.client.counters.snapshot.retries == 1)
    }

    @Test func manyCutsAreManyResumptions() {
        let fixture = HubFixture(
            storage: spoiling(20) { $0.ending(.cut(afterByteCount: 5000)) })
        #expect(fixture.fetch(Self.whole).isRight)
        #expect(fixture.storage.requests.count == 21)
    }

    @Test func endlessCutsEnd() {
        let fixture = HubFixture(
            storage: spoiling(.max) { $0.ending(.cut(afterByteCount: 1)) },
            adjust: { $0.retries.failureCountMax = 5 })
        let fetched = fixture.fetch(Self.whole)
        guard case .unreachable = fetched.error else {
            Issue.record("\(String(describing: fetched.error))")
            return
        }
        #expect(fixture.storage.requests.count == 6)
        #expect(fetched.bytes.count == 6)
    }

    @Test func resetsAndSilenceAreTriedAgain() {
        let faults: [RawHTTPServer.Answer] = [
            .init(206, rawBytes: []), .init(206, end: .silence),
            .init(206, rawBytes: Array("HTTP/1.1 206 OK\r\nContent-Ra".utf8)),
            .init(206, rawBytes: Array("nonsense\r\n\r\n".utf8)),
        ]
        let fixture = HubFixture(storage: storage(faults))
        #expect(fixture.fetch(7..<70_000).isRight)
        #expect(fixture.storage.requests.count == 5)
    }

    @Test func aResetBodyIsResumed() {
        let fixture = HubFixture(
            storage: spoiling(1) { $0.ending(.reset(afterByteCount: 3000)) })
        #expect(fixture.fetch(Self.whole).isRight)
        #expect(fixture.storage.requests.count == 2)
    }

    @Test func aStalledBodyIsResumedOnAnotherConnection() {
        let fixture = HubFixture(
            storage: spoiling(1) { $0.ending(.stall(afterByteCount: 3000)) })
        #expect(fixture.fetch(Self.whole).isRight)
        #expect(fixture.storage.connectionCount == 2)
        #expect(fixture.storage.requests.last?.headers["range"] == "bytes=3000-199999")
    }

    @Test func aDeadStorageEndsTheFetch() {
        let fixture = HubFixture(
            storage: { _, _ in .init(206, end: .silence) },
            adjust: { $0.timeouts.readSeconds = 1 })
        guard case .unreachable(let url, _) = fixture.fetch(0..<10).error else {
            Issue.record("no error")
            return
        }
        #expect(url == fixture.storage.url + "/blob")
    }

    @Test func theReadTimeOutEndsAWaitForAnotherOnesAnswer() {
        let fixture = HubFixture(
            hub: { _, _ in .init(302, end: .silence) },
            adjust: {
                $0.timeouts.readSeconds = 0.5
                $0.timeouts.stallSeconds = 60
            })
        guard case .unreachable = fixture.fetch(0..<10).error else {
            Issue.record("no error")
            return
        }
    }

    @Test(arguments: [500, 502, 503, 504, 429, 408])
    func aBusyStorageIsAskedAgain(status: Int) {
        let fixture = HubFixture(storage: storage([.init(status), .init(status)]))
        #expect(fixture.fetch(0..<10).isRight)
        #expect(fixture.storage.requests.count == 3)
        #expect(fixture.hub.requests.count == 1)
    }

    @Test func anEndlesslyBusyStorageIsAnError() {
        let fixture = HubFixture(storage: { _, _ in .init(503) })
        guard case .status(let refusal) = fixture.fetch(0..<10).error else {
            Issue.record("no error")
            return
        }
        #expect(refusal.status == 503)
        #expect(fixture.storage.requests.count == 7)
        #expect(fixture.client.counters.snapshot.lastError == .status(refusal))
    }

    @Test(arguments: [400, 401, 403, 404, 410])
    func anExpiredURLIsAskedForAnew(status: Int) {
        let fixture = HubFixture(storage: storage([.init(status)]))
        #expect(fixture.fetch(0..<10).isRight)
        #expect(fixture.hub.requests.count == 2)
        let targets = fixture.storage.requests.map(\.target)
        #expect(targets == ["/blob?Signature=s0", "/blob?Signature=s1"])
    }

    @Test func aURLThatIsRefusedTwiceIsAnError() {
        let fixture = HubFixture(storage: { _, _ in .init(403) })
        guard case .forbidden(let refusal) = fixture.fetch(0..<10).error else {
            Issue.record("no error")
            return
        }
        #expect(refusal.url == fixture.storage.url + "/blob")
        #expect(fixture.hub.requests.count == 2 && fixture.storage.requests.count == 2)
    }

    @Test func aSecondAskingIsAllowedAfterProgress() {
        let fixture = HubFixture(storage: { request, index in
            if index % 2 == 0 { return .init(403) }
            let right = RawHTTPServer.Answer.range(of: HubFixture.content, for: request)
            return index < 4 ? right.ending(.cut(afterByteCount: 10)) : right
        })
        #expect(fixture.fetch(0..<1000).isRight)
        #expect(fixture.storage.requests.count == 6)
    }

    @Test func aURLThatExpiresIsNotUsedAfter() {
        let fixture = HubFixture(hub: { _, _ in HubFixture.redirect(to: "x://nowhere") })
        guard case .malformed = fixture.fetch(0..<10).error else {
            Issue.record("a redirect to another scheme was followed")
            return
        }
    }

    @Test func ignoredRangesAreReadUpToTheRange() {
        let fixture = HubFixture(storage: { _, _ in .init(200, body: HubFixture.content) })
        #expect(fixture.fetch(100..<200).isRight)
        #expect(fixture.fetch(150_000..<200_000).isRight)
        #expect(fixture.fetch(Self.whole).isRight)
    }

    @Test func wrongAnswersAreTriedOnceMore() {
        let wrong: [RawHTTPServer.Answer] = [
            .init(206, headers: [("Content-Range", "bytes 0-9/200000")], body: [0]),
            .init(206, body: Array(HubFixture.content[100..<200])),
            .init(
                206,
                headers: [("Content-Range", "bytes 100-199/200000"), ("Content-Encoding", "gzip")],
                body: Array(HubFixture.content[100..<200])),
            .init(200, body: [1, 2, 3]), .init(416),
        ]
        for answer in wrong {
            let once = HubFixture(storage: storage([answer]))
            #expect(once.fetch(100..<200).isRight)
            let always = HubFixture(storage: { _, _ in answer })
            let fetched = always.fetch(100..<200)
            guard case .malformed = fetched.error else {
                Issue.record("\(answer.status): \(String(describing: fetched.error))")
                continue
            }
            #expect(fetched.bytes.isEmpty)
            #expect(always.storage.requests.count == 2)
        }
    }

    @Test func aRedirectOfTheStorageIsFollowedWithoutToken() throws {
        let other = RawHTTPServer { request, _ in .range(of: HubFixture.content, for: request) }
        defer { other.close() }
        let url = other.url
        let redirect = RawHTTPServer.Answer(302, headers: [("Location", url + "/y")])
        let fixture = HubFixture(storage: { _, _ in redirect })
        #expect(fixture.fetch(0..<10).isRight)
        #expect(try #require(other.requests.first).headers["authorization"] == nil)
    }

    @Test func redirectsInACircleEnd() {
        let fixture = HubFixture(storage: { _, _ in .init(302, headers: [("Location", "/again")]) })
        guard case .malformed = fixture.fetch(0..<10).error else {
            Issue.record("no error")
            return
        }
        #expect(fixture.storage.requests.count == 6)
    }

    @Test func aResolveWithoutLocationIsMalformed() {
        let fixture = HubFixture(hub: { _, _ in .init(302) })
        guard case .malformed = fixture.fetch(0..<10).error else {
            Issue.record("no error")
            return
        }
    }

    @Test func aMissingFileIsSaidToBeMissing() {
        let fixture = HubFixture(hub: { _, _ in
            .init(404, headers: [("X-Error-Code", "EntryNotFound"), ("X-Request-Id", "r1")])
        })
        guard case .entryNotFound(let refusal) = fixture.fetch(0..<10).error else {
            Issue.record("no error")
            return
        }
        #expect(refusal.requestID == "r1")
        #expect(fixture.hub.requests.count == 1)
    }

    @Test func aWholeFileCanBeDownloaded() throws {
        let fixture = HubFixture()
        let bytes: [UInt8] = try waitForResult(withinSeconds: 20) { completion in
            _ = fixture.client.download(fixture.location(), completion: completion)
        }
        #expect(bytes == HubFixture.content)
        #expect {
            let _: [UInt8] = try waitForResult(withinSeconds: 20) { completion in
                _ = fixture.client.download(
                    fixture.location(), byteCountMax: 199_999, completion: completion)
            }
        } throws: { error in
            if case .malformed? = error as? HubError { true } else { false }
        }
        #expect(fixture.storage.requests.count == 1)
    }

    @Test func aFetchUnderWayCanBeCancelled() {
        let fixture = HubFixture(
            storage: spoiling(.max) { $0.ending(.stall(afterByteCount: 10)) },
            adjust: { $0.timeouts.stallSeconds = 60 })
        let fetched = Fetched(0..<100)
        let fetch = fixture.client.fetch(
            fixture.location(), range: 0..<100, priority: .demand, into: fetched)
        fetched.waitForBytes()
        fetch.cancel()
        fetch.cancel()
        fetched.waitForEnd()
        #expect(fetched.error == .cancelled && fetched.endCount == 1)
    }

    @Test func aFetchThatWaitsCanBeCancelled() {
        let fixture = HubFixture(
            hub: { _, _ in .init(302, end: .silence) }, adjust: { $0.timeouts.stallSeconds = 60 })
        let fetched = Fetched(0..<100)
        let fetch = fixture.client.fetch(
            fixture.location(), range: 0..<100, priority: .demand, into: fetched)
        #expect(fixture.hub.waitForRequests(1))
        fetch.cancel()
        fetched.waitForEnd()
        #expect(fetched.error == .cancelled)
    }

    @Test func aReceiverEndsItsFetch() {
        let fixture = HubFixture()
        let fetched = Fetched(Self.whole, byteCountMax: 10)
        _ = fixture.client.fetch(
            fixture.location(), range: Self.whole, priority: .demand, into: fetched)
        fetched.waitForEnd()
        #expect(fetched.error == .cancelled && fetched.endCount == 1)
    }

    @Test func closingEndsEveryFetch() {
        let fixture = HubFixture(
            hub: { _, _ in .init(302, end: .silence) }, adjust: { $0.timeouts.stallSeconds = 60 })
        let all = (0..<5).map { _ in Fetched(0..<100) }
        for (number, fetched) in all.enumerated() {
            _ = fixture.client.fetch(
                fixture.location(number), range: 0..<100, priority: .demand, into: fetched)
        }
        fixture.client.close()
        for fetched in all {
            fetched.waitForEnd()
            #expect(fetched.error == .cancelled)
        }
        #expect(fixture.fetch(0..<100).error == .cancelled)
    }

    @Test func offlineNothingIsAsked() {
        let fixture = HubFixture(adjust: { $0.isOffline = true })
        #expect(fixture.fetch(0..<10).error == .offline)
        #expect(fixture.hub.requests.isEmpty)
    }

    @Test func prefetchIsRefusedItsHalfAndDemandIsNot() {
        let fixture = HubFixture(hub: { request, _ in
            if request.path.hasPrefix("/api/") {
                return .range(of: HubFixture.content, for: request)
            }
            let number = request.path.last { $0.isNumber }?.wholeNumberValue ?? 0
            let limit = "\"resolvers\";r=\(2 - number);t=100"
            return .init(307, headers: [("Location", "/api/c\(number)"), ("RateLimit", limit)])
        })
        // The first answer opens a window with two left: one of them may be prefetched.
        #expect(fixture.fetch(0..<10, number: 0).isRight)
        #expect(fixture.fetch(0..<10, number: 1, priority: .prefetch).isRight)
        guard case .rateLimited = fixture.fetch(0..<10, number: 2, priority: .prefetch).error else {
            Issue.record("prefetch took more than half")
            return
        }
        #expect(fixture.fetch(0..<10, number: 2).isRight)
        guard case .rateLimited = fixture.fetch(0..<10, number: 3).error else {
            Issue.record("more was asked than is left")
            return
        }
        #expect(fixture.hub.requests.filter { $0.path.contains("/resolve/") }.count == 3)
    }
}
