import HTTPTransport
import Platform
import TestSupport
import Testing

@testable import HubClient

/// What is sent once: commits, branches, pull requests.
@Suite(.timeLimit(.minutes(5)))
struct CommitTests {
    private static let body = Array((0..<40_000).map { "line \($0)\n" }.joined().utf8)
    private static let oid = String(repeating: "f", count: 40)
    private static let answer =
        #"{"success":true,"commitUrl":"http://hub/org/model/commit/\#(oid)","#
        + #""commitOid":"\#(oid)","hookOutput":""}"#

    private func commit(
        _ fixture: HubFixture, to revision: String = "main", byteCount: Int? = nil,
        createsPullRequest: Bool = false, progress: @escaping @Sendable (UInt64) -> Void = { _ in }
    ) throws -> CommitOutcome {
        let file = try TestFile(Self.body)
        return waitForAnswer { completion in
            fixture.client.commit(
                HubFixture.repo, to: Revision(revision), body: file.file,
                byteCount: UInt64(byteCount ?? Self.body.count),
                createsPullRequest: createsPullRequest, progress: progress, completion: completion)
        }
    }

    private func outcome(
        of answers: RawHTTPServer.Answer...
    ) throws -> (outcome: CommitOutcome, requestCount: Int) {
        let fixture = HubFixture(hub: { _, index in answers[min(index, answers.count - 1)] })
        return (try commit(fixture), fixture.hub.requests.count)
    }

    @Test func aCommitIsSentAsItWasSpooled() throws {
        let fixture = HubFixture(hub: { _, _ in .init(200, json: Self.answer) })
        let sent = Guarded<UInt64>(0)
        let found = try commit(fixture, to: "refs/pr/4") { byteCount in
            sent.withLock { $0 = byteCount }
        }
        #expect(
            found
                == .committed(
                    CommitReceipt(
                        commit: CommitOID(hex: Self.oid)!, pullRequest: nil,
                        url: "http://hub/org/model/commit/\(Self.oid)")))
        let asked = try #require(fixture.hub.requests.first)
        #expect(asked.method == "POST")
        #expect(asked.target == "/api/models/org/model/commit/refs%2Fpr%2F4")
        #expect(asked.headers["content-type"] == "application/x-ndjson")
        #expect(asked.headers["authorization"] == "Bearer hf_secret")
        #expect(asked.headers["content-length"] == "\(Self.body.count)")
        #expect(asked.headers["expect"] == nil)
        #expect(asked.body == Self.body)
        #expect(sent.withLock { $0 } == UInt64(Self.body.count))
    }

    @Test func aPullRequestIsNumbered() throws {
        let answer =
            Self.answer.dropLast() + #","pullRequestUrl":"http://hub/org/model/discussions/37"}"#
        let fixture = HubFixture(hub: { _, _ in .init(200, json: String(answer)) })
        guard case .committed(let receipt) = try commit(fixture, createsPullRequest: true) else {
            Issue.record("no commit")
            return
        }
        #expect(receipt.pullRequest == 37)
        #expect(fixture.hub.requests[0].target.hasSuffix("/commit/main?create_pr=1"))
    }

    @Test(arguments: [400, 401, 403, 404, 413, 422, 501, 507, 302])
    func aRefusalIsOne(status: Int) throws {
        let (found, count) = try outcome(of: .init(status, json: #"{"error":"why"}"#))
        guard case .refused(let error) = found, let refusal = error.refusal else {
            Issue.record("\(found)")
            return
        }
        #expect(refusal.status == status && refusal.message == "why")
        #expect(count == 1)
    }

    @Test func aMovedBranchAndARunningCommitAreToldApart() throws {
        guard case (.stale(let stale), 1) = try outcome(of: .init(412, json: #"{"error":"a"}"#)),
            case (.busy(let busy), 1) = try outcome(of: .init(409, json: #"{"error":"b"}"#))
        else {
            Issue.record("neither stale nor busy")
            return
        }
        #expect(stale.refusal?.message == "a" && busy.refusal?.message == "b")
    }

    @Test func theRateLimitIsWaitedFor() throws {
        guard case (.busy(let busy), 1) = try outcome(of: .init(429, json: #"{"error":"c"}"#))
        else {
            Issue.record("not busy")
            return
        }
        #expect(busy.refusal?.message == "c")
    }

    /// Whatever may have happened after the body went out is never tried again.
    @Test(arguments: [
        RawHTTPServer.Answer(500), .init(502), .init(503, headers: [("Retry-After", "0")]),
        .init(504), .init(408), .init(0, rawBytes: []), .init(200, end: .silence),
        .init(0, rawBytes: Array("no HTTP\r\n\r\n".utf8)), .init(200, json: "{}"),
        .init(200, json: Self.answer).ending(.cut(afterByteCount: 20)),
        .init(200, json: Self.answer).ending(.reset(afterByteCount: 20)),
        .init(200, json: Self.answer).ending(.stall(afterByteCount: 20)),
    ])
    func aLostAnswerIsUnknown(answer: RawHTTPServer.Answer) throws {
        let (found, count) = try outcome(of: answer, .init(200, json: Self.answer))
        guard case .unknown = found else {
            Issue.record("\(found)")
            return
        }
        #expect(count == 1)
    }

    @Test func aWarmConnectionThatBreaksRepeatsNothing() throws {
        let fixture = HubFixture(hub: { request, _ in
            request.method == "GET"
                ? .init(200, json: #"{"sha":"\#(Self.oid)"}"#) : .init(0, rawBytes: [])
        })
        let head: CommitOID = try waitForResult(withinSeconds: 20) {
            fixture.client.head(HubFixture.repo, of: .main, completion: $0)
        }
        #expect(head.hex == Self.oid)
        guard case .unknown = try commit(fixture) else {
            Issue.record("not unknown")
            return
        }
        #expect(fixture.hub.requests.map(\.method) == ["GET", "POST"])
    }

    @Test func nobodyListeningMeansNotSent() throws {
        let fixture = HubFixture()
        fixture.hub.close()
        guard case .notSent(.unreachable) = try commit(fixture) else {
            Issue.record("sent to nobody")
            return
        }
    }

    @Test func aSpoolThatEndsEarlyMeansNotSent() throws {
        let fixture = HubFixture(hub: { _, _ in .init(200, json: Self.answer) })
        guard case .notSent(.malformed) = try commit(fixture, byteCount: Self.body.count + 1)
        else {
            Issue.record("sent")
            return
        }
        #expect(fixture.hub.requests.isEmpty)
    }

    @Test func offlineAndClosedMeanNotSent() throws {
        let offline = HubFixture(adjust: { $0.isOffline = true })
        #expect(try commit(offline) == .notSent(.offline))
        #expect(offline.hub.requests.isEmpty)
        let closed = HubFixture()
        closed.client.close()
        #expect(try commit(closed) == .notSent(.cancelled))
        #expect(closed.hub.requests.isEmpty)
    }

    @Test func cancellingAfterTheBodyLeavesItUnknown() throws {
        let fixture = HubFixture(
            hub: { _, _ in .init(200, end: .silence) },
            adjust: { $0.timeouts.writeStallSeconds = 30 })
        let file = try TestFile(Self.body)
        let found: CommitOutcome = waitForAnswer { completion in
            let sending = fixture.client.commit(
                HubFixture.repo, to: .main, body: file.file, byteCount: UInt64(Self.body.count),
                completion: completion)
            #expect(fixture.hub.waitForRequests(1))
            sending?.cancel()
        }
        #expect(found == .unknown(.cancelled))
    }

    @Test func silenceEndsWithoutTheTransportsHelp() throws {
        let fixture = HubFixture(
            hub: { _, _ in .init(200, end: .silence) },
            adjust: {
                $0.timeouts.writeStallSeconds = 60
                $0.timeouts.writeSeconds = 0.5
            })
        guard case .unknown(.unreachable) = try commit(fixture) else {
            Issue.record("no time-out")
            return
        }
    }

    @Test func aRenamedRepoGetsTheCommitOnce() throws {
        let fixture = HubFixture(hub: { request, _ in
            guard request.path.hasPrefix("/api/models/org/model/") else {
                return .init(200, json: Self.answer)
            }
            let rest = request.target.dropFirst("/api/models/org/model".count)
            return .init(307, headers: [("Location", "/api/models/org/new\(rest)")])
        })
        guard case .committed = try commit(fixture) else {
            Issue.record("not committed")
            return
        }
        #expect(fixture.hub.requests.map(\.body) == [Self.body, Self.body])
    }

    @Test func aCommitIsNotRedirectedElsewhere() throws {
        let other = RawHTTPServer(hostName: "localhost") { _, _ in .init(200, json: Self.answer) }
        defer { other.close() }
        let (found, count) = try outcome(
            of: .init(307, headers: [("Location", other.url + "/x")]))
        guard case .refused = found else {
            Issue.record("\(found)")
            return
        }
        #expect(count == 1 && other.requests.isEmpty)
    }

    @Test func aSpentQuotaIsWaitedForOrNotSent() throws {
        let limit = { @Sendable (seconds: Int) in [("RateLimit", "\"api\";r=0;t=\(seconds)")] }
        let fixture = HubFixture(hub: { request, _ in
            request.method == "GET"
                ? .init(200, headers: limit(1), json: #"{"sha":"\#(Self.oid)"}"#)
                : .init(200, headers: limit(300), json: Self.answer)
        })
        let _: CommitOID = try waitForResult(withinSeconds: 20) {
            fixture.client.head(HubFixture.repo, of: .main, completion: $0)
        }
        guard case .committed = try commit(fixture) else {
            Issue.record("not committed")
            return
        }
        guard case .notSent(.rateLimited) = try commit(fixture) else {
            Issue.record("sent without quota")
            return
        }
        #expect(fixture.hub.requests.count == 2)
    }

    // MARK: Branches and pull requests

    private func open(_ answer: RawHTTPServer.Answer) -> (Result<Int, WriteFailure>, HubFixture) {
        let fixture = HubFixture(hub: { _, _ in answer })
        let result: Result<Int, WriteFailure> = waitForAnswer { completion in
            fixture.client.openPullRequest(
                HubFixture.repo, title: "a \"title\"", description: "", completion: completion)
        }
        return (result, fixture)
    }

    @Test func aPullRequestIsOpened() throws {
        let (result, fixture) = open(.init(200, json: #"{"num":12,"title":"x"}"#))
        #expect(result == .success(12))
        let asked = try #require(fixture.hub.requests.first)
        #expect(asked.method == "POST" && asked.target == "/api/models/org/model/discussions")
        #expect(asked.headers["content-type"] == "application/json")
        #expect(
            asked.body
                == Array(#"{"title":"a \"title\"","description":"","pullRequest":true}"#.utf8))
    }

    @Test(arguments: [
        (RawHTTPServer.Answer(403), "refused"), (.init(500), "unknown"),
        (.init(0, rawBytes: []), "unknown"), (.init(200, json: "{}"), "unknown"),
        (.init(200, json: #"{"num":-1}"#), "unknown"),
    ])
    func aPullRequestIsOpenedOnceAtMost(answer: RawHTTPServer.Answer, kind: String) {
        let (result, fixture) = open(answer)
        guard case .failure(let failure) = result else {
            Issue.record("opened")
            return
        }
        #expect("\(failure)".hasPrefix(kind))
        #expect(fixture.hub.requests.count == 1)
    }

    @Test func aBranchIsMade() throws {
        let fixture = HubFixture(hub: { _, index in
            index == 0
                ? .init(200, body: Array("OK".utf8))
                : .init(409, json: #"{"error":"Reference refs/heads/x already exists"}"#)
        })
        let make = { () -> Result<Void, WriteFailure> in
            waitForAnswer { completion in
                fixture.client.createBranch(
                    HubFixture.repo, name: "feat/x", at: CommitOID(hex: Self.oid)!,
                    completion: completion)
            }
        }
        #expect(throws: Never.self) { try make().get() }
        guard case .failure(.refused(let error)) = make() else {
            Issue.record("made twice")
            return
        }
        #expect(error.refusal?.status == 409)
        let asked = try #require(fixture.hub.requests.first)
        #expect(asked.method == "POST" && asked.target == "/api/models/org/model/branch/feat%2Fx")
        #expect(asked.body == Array(#"{"startingPoint":"\#(Self.oid)"}"#.utf8))
    }
}
