import Platform
import TestSupport
import Testing

@testable import HubClient

/// What tells what became of a commit: history, refs, paths.
struct HistoryTests {
    private static func oid(_ number: Int) -> CommitOID {
        let digits = String(number, radix: 16)
        return CommitOID(hex: String(repeating: "0", count: 40 - digits.count) + digits)!
    }

    private static func row(_ number: Int) -> String {
        #"{"id":"\#(oid(number))","title":"c\#(number)","message":"","authors":[],"#
            + #""date":"2026-01-02T03:04:05.000Z"}"#
    }

    /// The Hub of a branch with commits 0 to `newest(request)`, in pages of any size.
    private static func hub(
        pageSize: Int, newest: @escaping @Sendable (Int) -> Int
    ) -> RawHTTPServer.Handler {
        { request, index in
            let page =
                request.target.firstRange(of: "p=").map {
                    Int(request.target[$0.upperBound...].prefix { $0.isNumber }) ?? 0
                } ?? 0
            let all = Array((0...newest(index)).reversed())
            let rows = all.dropFirst(page * pageSize).prefix(pageSize)
            var headers: [(String, String)] = [("X-Total-Count", "\(all.count)")]
            if (page + 1) * pageSize < all.count {
                headers.append(("Link", "<\(request.path)?p=\(page + 1)&limit=9>; rel=\"next\""))
            }
            return .init(
                200, headers: headers, json: "[\(rows.map(row).joined(separator: ","))]")
        }
    }

    private func child(_ base: Int, _ fixture: HubFixture) throws(HubError) -> ChildCommit {
        try waitForResult(withinSeconds: 20) { completion in
            fixture.client.child(
                of: Self.oid(base), HubFixture.repo, in: Revision("feat/x"),
                completion: completion)
        }
    }

    private static func found(_ number: Int) -> ChildCommit {
        .found(
            CommitSummary(
                commit: oid(number), title: "c\(number)",
                dateNanoseconds: 1_767_323_045_000_000_000))
    }

    @Test func aPageOfTheHistoryIsRead() throws {
        let fixture = HubFixture(hub: Self.hub(pageSize: 3) { _ in 5 })
        let page: [CommitSummary] = try waitForResult(withinSeconds: 20) {
            fixture.client.history(HubFixture.repo, Revision("feat/x"), limit: 3, completion: $0)
        }
        #expect(page.map(\.title) == ["c5", "c4", "c3"])
        #expect(page.map(\.commit) == [Self.oid(5), Self.oid(4), Self.oid(3)])
        #expect(page[0].dateNanoseconds == 1_767_323_045_000_000_000)
        #expect(
            fixture.hub.requests.map(\.target)
                == ["/api/models/org/model/commits/feat%2Fx?p=0&limit=3"])
    }

    @Test func theChildIsTheEntryBefore() throws {
        let fixture = HubFixture(hub: Self.hub(pageSize: 4) { _ in 10 })
        for base in 0...9 {
            #expect(try child(base, fixture) == Self.found(base + 1), "of \(base)")
        }
        #expect(try child(10, fixture) == .none)
        #expect(try child(11, fixture) == .unknownBase)
    }

    @Test func commitsMadeBetweenThePagesDoNotConfuse() throws {
        for grown in 1...5 {
            let fixture = HubFixture(
                hub: Self.hub(pageSize: 4) { index in index == 0 ? 10 : 10 + grown })
            // The last two of the first page, and the first of what was the second.
            for base in [7, 6] {
                let single = HubFixture(
                    hub: Self.hub(pageSize: 4) { index in index == 0 ? 10 : 10 + grown })
                #expect(try child(base, single) == Self.found(base + 1), "of \(base)")
            }
            #expect(try child(10, fixture) == .none)
        }
    }

    @Test func theSearchIsBounded() throws {
        let fixture = HubFixture(hub: Self.hub(pageSize: 1) { _ in 1000 })
        #expect(try child(5, fixture) == .unknownBase)
        #expect(fixture.hub.requests.count == HubClient.childPageCountMax)
    }

    @Test(arguments: [
        "{}", #"[{"id":"x","title":"t","date":"2026-01-02T03:04:05Z"}]"#,
        #"[{"id":"0000000000000000000000000000000000000001","date":"2026-01-02T03:04:05Z"}]"#,
    ])
    func whatIsNoHistoryIsMalformed(answer: String) {
        let fixture = HubFixture(hub: { _, _ in .init(200, json: answer) })
        let found = Result { () throws(HubError) in try child(1, fixture) }
        guard case .failure(.malformed) = found else {
            Issue.record("\(found)")
            return
        }
    }

    @Test func refsAreRead() throws {
        let row = { (name: String, ref: String, number: Int) in
            #"{"name":"\#(name)","ref":"\#(ref)","targetCommit":"\#(Self.oid(number))"}"#
        }
        let json = """
            {"branches":[\(row("main", "refs/heads/main", 1))],"converts":[],
             "tags":[\(row("v1", "refs/tags/v1", 2))],"pullRequests":[\(row("3", "refs/pr/3", 4))]}
            """
        let fixture = HubFixture(hub: { _, _ in .init(200, json: json) })
        let refs: RepoRefs = try waitForResult(withinSeconds: 20) {
            fixture.client.refs(HubFixture.repo, includesPullRequests: true, completion: $0)
        }
        #expect(fixture.hub.requests[0].target == "/api/models/org/model/refs?include_prs=1")
        #expect(
            refs.branches == [RepoRef(name: "main", ref: "refs/heads/main", commit: Self.oid(1))])
        #expect(refs.tags.map(\.commit) == [Self.oid(2)])
        #expect(refs.pullRequests.map(\.name) == ["3"])
    }

    // MARK: Paths

    private static func file(_ path: String) -> String {
        #"{"type":"file","path":\#(JSON.quoted(path)),"oid":"\#(oid(7))","size":3}"#
    }

    private func pathsInfo(
        _ paths: [String], _ fixture: HubFixture
    ) throws(HubError) -> [TreeEntry] {
        try waitForResult(withinSeconds: 20) { completion in
            fixture.client.pathsInfo(
                HubFixture.repo, Revision(HubFixture.commit), paths: paths, completion: completion)
        }
    }

    @Test func pathsAreAskedInBatches() throws {
        let fixture = HubFixture(hub: { request, _ in
            let asked = JSON(request.body)?["paths"]?.array?.compactMap(\.string) ?? []
            let there = asked.filter { !$0.hasSuffix("9") }.map(Self.file)
            return .init(200, json: "[\(there.joined(separator: ","))]")
        })
        let paths = (0..<1203).map { "d \"ü\"/f\($0)" }
        let found = try pathsInfo(paths, fixture)
        #expect(found.map(\.path) == paths.filter { !$0.hasSuffix("9") })
        let requests = fixture.hub.requests
        #expect(requests.map { JSON($0.body)?["paths"]?.array?.count } == [500, 500, 203])
        #expect(
            requests.allSatisfy {
                $0.target == "/api/models/org/model/paths-info/\(HubFixture.commit)"
                    && $0.headers["content-type"] == "application/json"
                    && JSON($0.body)?["expand"] == .bool(false)
            })
        #expect(try pathsInfo([], fixture) == [])
        #expect(fixture.hub.requests.count == 3)
    }
}

struct RawDiffTests {
    private static let old = String(repeating: "1", count: 40)
    private static let new = String(repeating: "2", count: 40)
    private static let none = String(repeating: "0", count: 40)
    private static let oid = BlobOID(hex: new)!

    private func changes(_ text: String) throws(RawDiff.Invalid) -> [PathChange] {
        try RawDiff.changes(Array(text.utf8))
    }

    private func line(
        _ rest: String, oids: String = "\(old)... \(new)...", head: String = "T 2305\t"
    ) -> String {
        "\(head):100644 100644 \(oids) \(rest)\n"
    }

    @Test func everyKindOfChangeIsRead() throws {
        let text =
            line("M\ta.txt") + line("A\td/ü b.txt", oids: "\(Self.none)... \(Self.new)...")
            + line("D\tgone", oids: "\(Self.old)... \(Self.none)...", head: "B 0\t")
            + line("R100\told name\tnew name") + line("C075\tx\ty") + line("T\tlink")
            + line("R100\tx y") + line("M\tno dots", oids: "\(Self.old) \(Self.new)")
        #expect(
            try changes(text) == [
                PathChange(status: .modified, path: "a.txt", newPath: nil, newOID: Self.oid),
                PathChange(status: .added, path: "d/ü b.txt", newPath: nil, newOID: Self.oid),
                PathChange(status: .deleted, path: "gone", newPath: nil, newOID: nil),
                PathChange(
                    status: .renamed, path: "old name", newPath: "new name", newOID: Self.oid),
                PathChange(status: .copied, path: "x", newPath: "y", newOID: Self.oid),
                PathChange(status: .typeChanged, path: "link", newPath: nil, newOID: Self.oid),
                PathChange(status: .renamed, path: "x", newPath: "y", newOID: Self.oid),
                PathChange(status: .modified, path: "no dots", newPath: nil, newOID: Self.oid),
            ])
        #expect(try changes("") == [])
    }

    @Test func quotedPathsAreUndone() throws {
        let text =
            line(#"M\#t"a\tb\n\"c\"\\\303\251""#) + line(#"R090\#t"x\ty"\#tz"#)
            + line(#"R090\#tx\#t"y\001""#) + line(#"R090\#t"x y" "z z""#)
        #expect(
            try changes(text).map { [$0.path, $0.newPath ?? ""] } == [
                ["a\tb\n\"c\"\\é", ""], ["x\ty", "z"], ["x", "y\u{1}"], ["x y", "z z"],
            ])
    }

    @Test(arguments: [
        "M\t", "M\t/a", "M\ta/../b", "M\ta//b", "X\ta", "M1x\ta", "\ta", "R100\tonly-one",
        "R100\ta b c", "R100\ta\tb\tc/../d", #"M\#t"a"#, #"M\#t"a\9""#, #"M\#t"a\40""#,
        #"M\#t"a"b"#, #"M\#t"\777""#, #"M\#t"\377""#, "D\ta",
    ])
    func whatIsNoChangeIsRefused(rest: String) {
        #expect(throws: RawDiff.Invalid.self) { try changes(line(rest)) }
    }

    @Test(arguments: [
        "T 1\t:100644 100644 \(old)... \(new)...\ta", "no colon\n", "T 1\t:M\ta",
        "T 1\t:100644 100644 \(old)... xyz... M\ta", "T 1\t:100644 100644 \(old)... \(new)x M\ta",
        "T 1\t:100644 100644 \(old)... \(none)... M\ta",
    ])
    func linesThatDoNotFitAreRefused(text: String) {
        #expect(throws: RawDiff.Invalid.self) { try changes(text) }
    }

    @Test func aComparisonIsAskedInOneSegment() throws {
        let text = line("M\ta.txt")
        let fixture = HubFixture(hub: { _, _ in .init(200, body: Array(text.utf8)) })
        let commit = CommitOID(hex: Self.old)!
        let found: [PathChange] = try waitForResult(withinSeconds: 20) {
            fixture.client.compare(
                HubFixture.repo, from: commit, to: CommitOID(hex: Self.new)!, completion: $0)
        }
        #expect(found.map(\.path) == ["a.txt"])
        #expect(
            fixture.hub.requests[0].target
                == "/api/models/org/model/compare/\(Self.old)..\(Self.new)?raw=true")
    }
}
