import Platform
import TestSupport
import Testing

@testable import HubClient

/// Lists of repos, and whose token it is, over real sockets.
struct AccountTests {
    private func repos(
        _ fixture: HubFixture, of author: String = "org", countMax: Int = 10_000
    ) throws(HubError) -> RepoListing {
        try waitForResult(withinSeconds: 20) { completion in
            fixture.client.repos(.dataset, of: author, countMax: countMax, completion: completion)
        }
    }

    private func rows(_ names: [String]) -> String {
        let objects = names.map {
            #"{"_id":"1","id":"\#($0)","lastModified":"2026-01-02T03:04:05.000Z"}"#
        }
        return "[" + objects.joined(separator: ",") + "]"
    }

    /// Pages of two, of `count` in all.
    private func paged(_ count: Int) -> RawHTTPServer.Handler {
        { request, index in
            let start = index * 2
            let names = (start..<min(start + 2, count)).map { "org/data-\($0)" }
            let next = "<\(request.target.prefix { $0 != "?" })?cursor=\(index)>; rel=\"next\""
            return .init(
                200, headers: start + 2 < count ? [("Link", next)] : [], json: rows(names))
        }
    }

    @Test func allPagesAreOneList() throws {
        let fixture = HubFixture(hub: paged(5))
        let listing = try repos(fixture)
        #expect(listing.author == "org")
        #expect(listing.repos.map(\.name) == (0..<5).map { "data-\($0)" })
        #expect(listing.repos.allSatisfy { $0.modifiedNanoseconds == 1_767_323_045_000_000_000 })
        #expect(listing.isWhole)
        #expect(
            fixture.hub.requests.first?.target
                == "/api/datasets?author=org&limit=1000&expand=lastModified")
        #expect(fixture.hub.requests.count == 3)
    }

    @Test func aListEndsAtItsBound() throws {
        let fixture = HubFixture(hub: paged(100))
        let listing = try repos(fixture, countMax: 5)
        #expect(listing.repos.count == 5)
        #expect(!listing.isWhole)
        #expect(fixture.hub.requests.count == 3)
    }

    @Test func pagesWithoutAnEndAreNotFollowedForEver() throws {
        let fixture = HubFixture(hub: { request, index in
            .init(200, headers: [("Link", "</p?cursor=\(index)>; rel=\"next\"")], json: "[]")
        })
        let listing = try repos(fixture)
        #expect(!listing.isWhole)
        #expect(fixture.hub.requests.count == 256)
    }

    @Test func theNextPageIsNotFetchedElsewhere() throws {
        let fixture = HubFixture(hub: { _, _ in
            .init(
                200, headers: [("Link", "<http://127.0.0.1:1/p>; rel=\"next\"")],
                json: rows(["org/a"]))
        })
        #expect(throws: HubError.self) { try repos(fixture) }
    }

    @Test func onlyTheAccountsOwnAreTakenAsTheHubSpellsIt() throws {
        let fixture = HubFixture(hub: { _, _ in
            .init(
                200,
                json: rows(["Org/a", "other/b", "Org/../c", "old", "Org/b.git", "Org/d/e", "Org/f"])
            )
        })
        let listing = try repos(fixture, of: "org")
        #expect(listing.author == "Org")
        #expect(listing.repos.map(\.name) == ["a", "f"])
    }

    @Test func anAccountWithoutReposHasAnEmptyList() throws {
        let listing = try repos(HubFixture(hub: { _, _ in .init(200, json: "[]") }))
        #expect(listing == RepoListing(author: nil, repos: [], isWhole: true))
    }

    @Test(arguments: ["{}", "null", "no"]) func otherAnswersAreMalformed(_ text: String) {
        let fixture = HubFixture(hub: { _, _ in .init(200, json: text) })
        #expect(throws: HubError.self) { try repos(fixture) }
    }

    @Test func theTokensAccountAndItsOrganisations() throws {
        let fixture = HubFixture(hub: { _, _ in
            .init(
                200,
                json:
                    #"{"name":"me","orgs":[{"name":"one"},{"fullname":"no name"},{"name":"two"}]}"#)
        })
        let account = try waitForResult(withinSeconds: 20) { completion in
            fixture.client.account(completion: completion)
        }
        #expect(account == Account(name: "me", organisations: ["one", "two"]))
    }
}

/// Revisions as one segment of a path.
struct RevisionSegmentTests {
    @Test(arguments: [
        ("main", "main"), ("refs/pr/3", "refs%2Fpr%2F3"), ("50%", "50%25"), ("a%2Fb", "a%252Fb"),
    ])
    func whatIsWrittenIsReadBack(_ name: String, _ segment: String) {
        #expect(Revision(name).segment == segment)
        #expect(Revision(segment: segment).name == name)
    }

    @Test func otherSpellingsAreRead() {
        #expect(Revision(segment: "refs%2fpr%2f3").name == "refs/pr/3")
        #expect(Revision(segment: "%6dain").name == "main")
    }

    @Test(arguments: ["main", "v1.0", "refs/pr/3", "feat/x", "0123abc", "größe", "a@b"])
    func namesThatAreWorthAQuestion(_ name: String) {
        #expect(Revision(name).isPossible)
    }

    @Test(arguments: [
        "", "/", "a//b", "/a", "a/", "a..b", ".a", "a/.b", "a.lock", "a.", "a b", "a~1", "a^",
        "a:b",
        "a?", "a*", "a[", "a\\b", "@", "a@{1}", "a\u{7f}", "a\n",
        String(repeating: "x", count: 251),
    ])
    func namesThatNoRefCanHave(_ name: String) {
        #expect(!Revision(name).isPossible)
    }
}
