import TestSupport
import Testing

@testable import HubClient

/// Revisions and listings over real sockets.
struct TreeOriginTests {
    private static let oid = String(repeating: "a", count: 40)

    private static let info =
        #"{"id":"org/canonical","sha":"\#(HubFixture.commit)","lastModified":"2030-01-01T00:00:00Z"}"#
    private static let commits =
        #"[{"id":"\#(HubFixture.commit)","title":"t","date":"2026-01-02T03:04:05.000Z"}]"#

    /// Answers info and commits rightly, except where `fault` answers.
    private func hub(
        _ fault: @escaping @Sendable (RawHTTPServer.Request, Int) -> RawHTTPServer.Answer? = {
            _, _ in nil
        }
    ) -> RawHTTPServer.Handler {
        { request, index in
            if let answer = fault(request, index) { return answer }
            return .init(200, json: request.path.contains("/commits/") ? Self.commits : Self.info)
        }
    }

    private func error(_ handler: @escaping RawHTTPServer.Handler) -> HubError? {
        let fixture = HubFixture(hub: handler)
        do throws(HubError) {
            _ = try fixture.resolve()
            return nil
        } catch {
            return error
        }
    }

    @Test func aRevisionIsResolvedToItsCommitAndItsDate() throws {
        let fixture = HubFixture(hub: hub())
        let snapshot = try fixture.resolve("refs/pr/1")
        #expect(snapshot.repo.name == "org/canonical")
        #expect(snapshot.commit.hex == HubFixture.commit)
        #expect(snapshot.commitDateNanoseconds == 1_767_323_045_000_000_000)
        #expect(
            fixture.hub.requests.map(\.target) == [
                "/api/models/org/model/revision/refs%2Fpr%2F1?expand=sha&expand=lastModified",
                "/api/models/org/canonical/commits/\(HubFixture.commit)?p=0&limit=1",
            ])
        #expect(fixture.hub.requests.allSatisfy { $0.headers["authorization"] != nil })
    }

    @Test func aHiddenHistoryLeavesTheReposDate() throws {
        let fixture = HubFixture(
            hub: hub { request, _ in
                request.path.contains("/commits/")
                    ? .init(403, headers: [("X-Error-Code", "GatedRepo")]) : nil
            })
        #expect(try fixture.resolve().commitDateNanoseconds == 1_893_456_000_000_000_000)
    }

    @Test func legacyNamesAreFollowed() throws {
        let fixture = HubFixture(
            hub: hub { request, _ in
                guard request.path.hasPrefix("/api/models/org/model/") else { return nil }
                let rest = request.target.dropFirst("/api/models/org/model".count)
                return .init(307, headers: [("Location", "/api/models/org/canonical\(rest)")])
            })
        #expect(try fixture.resolve().repo.name == "org/canonical")
        #expect(fixture.hub.requests.count == 3)
    }

    @Test func aRedirectToAnotherOriginCarriesNoToken() throws {
        let handler = hub()
        let other = RawHTTPServer(hostName: "localhost", handler)
        defer { other.close() }
        let url = other.url
        let fixture = HubFixture(
            hub: hub { request, _ in
                request.path.contains("/revision/")
                    ? .init(302, headers: [("Location", url + request.target)]) : nil
            })
        #expect(try fixture.resolve().repo.name == "org/canonical")
        #expect(other.requests.count == 1)
        #expect(other.requests[0].headers["authorization"] == nil)
    }

    @Test func redirectsInACircleEnd() {
        let found = error { request, _ in .init(307, headers: [("Location", request.target)]) }
        guard case .malformed = found else {
            Issue.record("\(String(describing: found))")
            return
        }
    }

    @Test func errorsAreSorted() {
        func kind(_ status: Int, _ code: String?, _ message: String = "") -> String {
            let headers =
                [("X-Error-Message", message)] + (code.map { [("X-Error-Code", $0)] } ?? [])
            let found = error { _, _ in .init(status, headers: headers) }
            return found.map { "\($0)".prefix { $0 != "(" }.description } ?? "none"
        }
        #expect(kind(404, "RepoNotFound") == "repoNotFound")
        #expect(kind(404, "RevisionNotFound") == "revisionNotFound")
        #expect(kind(403, "GatedRepo") == "gated")
        #expect(kind(401, "GatedRepo") == "gated")
        #expect(kind(401, nil, "Invalid username or password.") == "repoNotFound")
        #expect(kind(401, nil, "Invalid credentials in Authorization header") == "badToken")
        #expect(kind(403, nil, "Access to this resource is disabled.") == "forbidden")
        #expect(kind(400, nil) == "status")
        #expect(kind(404, nil) == "status")
    }

    @Test func theMessageComesFromTheBodyIfNeedBe() {
        let found = error { _, _ in .init(404, json: #"{"error":"no such thing"}"#) }
        guard case .status(let refusal) = found else {
            Issue.record("\(String(describing: found))")
            return
        }
        #expect(refusal.message == "no such thing")
    }

    @Test func aBusyHubIsAskedAgain() throws {
        let fixture = HubFixture(hub: hub { _, index in index < 2 ? .init(503) : nil })
        _ = try fixture.resolve()
        #expect(fixture.hub.requests.count == 4)
        #expect(fixture.client.counters.snapshot.retries == 2)
    }

    @Test func aLimitWithinTheTimeOutIsWaitedFor() throws {
        let fixture = HubFixture(
            hub: hub { _, index in
                index == 0 ? .init(429, headers: [("RateLimit", #""api";r=0;t=0"#)]) : nil
            })
        _ = try fixture.resolve()
        #expect(fixture.hub.requests.count == 3)
    }

    @Test func aLimitBeyondTheTimeOutIsAnErrorAtOnce() {
        let fixture = HubFixture(hub: { _, _ in
            .init(429, headers: [("RateLimit", #""api";r=0;t=100"#)])
        })
        for _ in 0..<2 {
            let found = Result { () throws(HubError) in try fixture.resolve() }
            guard case .failure(.rateLimited) = found else {
                Issue.record("\(found)")
                return
            }
        }
        // The second was refused by our own gate.
        #expect(fixture.hub.requests.count == 1)
    }

    @Test(arguments: ["", "[]", "{}", #"{"id":"a/b","sha":"123"}"#, "<html>"])
    func answersThatSayNothingAreMalformed(body: String) {
        let found = error { _, _ in .init(200, json: body) }
        guard case .malformed = found else {
            Issue.record("\(String(describing: found))")
            return
        }
    }

    @Test func aHostileCanonicalNameIsRefused() {
        let found = error { _, _ in
            .init(200, json: #"{"id":"../../x","sha":"\#(HubFixture.commit)"}"#)
        }
        guard case .malformed = found else {
            Issue.record("\(String(describing: found))")
            return
        }
    }

    @Test func nobodyThereIsUnreachable() {
        let fixture = HubFixture()
        fixture.hub.close()
        let found = Result { () throws(HubError) in try fixture.resolve() }
        guard case .failure(.unreachable(let url, _)) = found else {
            Issue.record("\(found)")
            return
        }
        #expect(!url.contains("?"))
    }

    @Test func anEndpointThatIsNoURLIsSaidToBe() {
        let fixture = HubFixture(adjust: { $0.endpoint = "hub" })
        #expect(throws: HubError.malformed(url: "hub", reason: "the endpoint is no URL")) {
            try fixture.resolve()
        }
    }

    private static func file(_ path: String) -> String {
        #"{"type":"file","oid":"\#(oid)","size":1,"path":"\#(path)"}"#
    }

    /// Serves `count` files, `pageSize` a page.
    private static func pages(_ count: Int, pageSize: Int) -> RawHTTPServer.Handler {
        { request, _ in
            let cursor = request.target.split(separator: "cursor=").dropFirst().first ?? "0"
            let start = Int(cursor) ?? 0
            let end = min(start + pageSize, count)
            let json = "[" + (start..<end).map { file("f\($0)") }.joined(separator: ",") + "]"
            let host = request.headers["host"] ?? ""
            let next = "<http://\(host)\(request.path)?cursor=\(end)>; rel=\"next\""
            return .init(200, headers: end < count ? [("Link", next)] : [], json: json)
        }
    }

    @Test func allPagesAreRead() throws {
        let fixture = HubFixture(hub: Self.pages(25, pageSize: 4))
        let listing = try fixture.list()
        #expect(listing.isWhole)
        #expect(listing.entries.map(\.path) == (0..<25).map { "f\($0)" })
        #expect(fixture.hub.requests.count == 7)
        #expect(
            fixture.hub.requests[0].target
                == "/api/models/org/model/tree/\(HubFixture.commit)?recursive=true&expand=false")
    }

    @Test func aListingEndsAtItsLimit() throws {
        let fixture = HubFixture(hub: Self.pages(25, pageSize: 4))
        let cut = try fixture.list(entryCountMax: 10)
        #expect(!cut.isWhole && cut.entries.count == 10)
        #expect(fixture.hub.requests.count == 3)
        let exact = try fixture.list(entryCountMax: 25)
        #expect(exact.isWhole && exact.entries.count == 25)
    }

    @Test func aDirectoryIsAskedForByItsEncodedPath() throws {
        let fixture = HubFixture(hub: { _, _ in .init(200, json: "[\(Self.file("a b/ü/x"))]") })
        let listing = try fixture.list(path: "a b/ü", recursive: false)
        #expect(listing.entries.map(\.path) == ["a b/ü/x"])
        #expect(
            fixture.hub.requests[0].target
                == "/api/models/org/model/tree/\(HubFixture.commit)/a%20b/%C3%BC"
                + "?recursive=false&expand=false")
    }

    private func listingIsMalformed(_ handler: @escaping RawHTTPServer.Handler) -> Bool {
        let fixture = HubFixture(hub: handler)
        let found = Result { () throws(HubError) in try fixture.list() }
        if case .failure(.malformed) = found { return true }
        return false
    }

    @Test func pagesInACircleEnd() {
        let same: RawHTTPServer.Handler = { request, _ in
            .init(200, headers: [("Link", "<\(request.target)>; rel=\"next\"")], json: "[]")
        }
        #expect(listingIsMalformed(same))
    }

    @Test func endlessEmptyPagesEnd() {
        let endless: RawHTTPServer.Handler = { _, index in
            .init(200, headers: [("Link", "</p?cursor=\(index)>; rel=\"next\"")], json: "[]")
        }
        #expect(listingIsMalformed(endless))
    }

    @Test func endlessFullPagesEndAtTheLimit() throws {
        let endless: RawHTTPServer.Handler = { _, index in
            .init(
                200, headers: [("Link", "</p?cursor=\(index)>; rel=\"next\"")],
                json: "[\(Self.file("f\(index)"))]")
        }
        let listing = try HubFixture(hub: endless).list(entryCountMax: 20)
        #expect(!listing.isWhole && listing.entries.count == 20)
    }

    @Test func theNextPageIsNotTakenFromAnotherServer() {
        let other = RawHTTPServer { _, _ in .init(200, json: "[]") }
        defer { other.close() }
        let url = other.url
        #expect(
            listingIsMalformed { _, _ in
                .init(200, headers: [("Link", "<\(url)/next>; rel=\"next\"")], json: "[]")
            })
        #expect(other.requests.isEmpty)
    }

    @Test func whatIsNoListingIsMalformed() {
        #expect(listingIsMalformed { _, _ in .init(200, json: "{\"error\":1}") })
        #expect(listingIsMalformed { _, _ in .init(200, json: "[") })
    }

    @Test func theTokensOwnerIsTold() throws {
        let fixture = HubFixture(hub: { _, _ in .init(200, json: #"{"type":"user","name":"me"}"#) })
        let name: String = try waitForResult(withinSeconds: 20) {
            fixture.client.whoAmI(completion: $0)
        }
        #expect(name == "me")
        #expect(fixture.hub.requests.map(\.target) == ["/api/whoami-v2"])
    }
}
