import Foundation
import Testing

@testable import LocalHub

@Suite struct CommitTests {
    @Test func everyOperation() async throws {
        let large = TestHub.binary(5000)
        try await TestHub.with([
            "keep.txt": Array("keep".utf8), "gone.txt": Array("g".utf8), "dir/x": Array("x".utf8),
            "dir/y": Array("y".utf8), "entry": Array("e".utf8), "moved": Array("m".utf8),
            "big.bin": large,
        ]) { hub in
            let answer = await hub.commit([
                TestHub.file("new/a.txt", "hello"),
                TestHub.deletion("gone.txt"), TestHub.deletion("dir/", key: "deletedFolder"),
                TestHub.deletion("entry", key: "deletedEntry"),
                ["key": "file", "value": ["path": "there", "oldPath": "moved"]],
                ["key": "file", "value": ["path": "plain", "content": "p\u{e9}"]],
                [
                    "key": "lfsFile",
                    "value": [
                        "path": "copy.weird", "algo": "sha256", "oid": TestHub.sha256(large),
                    ],
                ],
            ])
            #expect(answer.status == 200)
            let commit = hub.git("rev-parse", "main")
            #expect(answer.object["commitOid"] as? String == commit)
            #expect(
                answer.object["commitUrl"] as? String == hub.endpoint + "/org/repo/commit/" + commit
            )
            let names = hub.git("ls-tree", "-r", "--name-only", "main").split(separator: "\n")
            #expect(
                names.map(String.init) == [
                    ".gitattributes", "big.bin", "copy.weird", "keep.txt", "new/a.txt", "plain",
                    "there",
                ])
            #expect(hub.git("show", "main:new/a.txt") == "hello")
            #expect(hub.git("show", "main:plain") == "p\u{e9}")
            #expect(hub.git("show", "main:there") == "m")
            #expect(
                hub.git("rev-parse", "main:copy.weird")
                    == hub.git("rev-parse", "main:big.bin"))
            #expect(hub.git("show", "main:.gitattributes").contains("/copy.weird filter=lfs"))
            #expect(hub.git("log", "-1", "--format=%an %s") == "writer change")
            #expect(hub.git("fsck", "--strict") == "")
        }
    }

    /// Swift takes both spellings of é for one string; git and the Hub do not.
    @Test func namesAreBytes() async throws {
        let names = ["\u{e9}.txt", "e\u{301}.txt", "dir/\u{301}x", "dir/x"]
        try await TestHub.with { hub in
            let answer = await hub.commit(names.map { TestHub.file($0, $0) })
            #expect(answer.status == 200)
            let files = hub.git("ls-tree", "-r", "--name-only", "-z", "main").split(separator: "\0")
            #expect(files.count == 5)
            for name in names {
                let url = hub.endpoint + "/org/repo/resolve/main/"
                let read = await hub.anonymous.follow(
                    url + URLText.encode(name, keepingSlashes: true))
                #expect(isSame(read.body, Array(name.utf8)))
            }
            #expect(await hub.commit([TestHub.deletion(names[0])]).status == 200)
            let left = await hub.anonymous.get(hub.api + "/tree/main?recursive=true&expand=true")
            let paths = left.array.compactMap { ($0["path"] as? String).map { Array($0.utf8) } }
            #expect(paths.contains(Array(names[1].utf8)))
            #expect(!paths.contains(Array(names[0].utf8)))
        }
    }

    @Test func theJSONForm() async throws {
        try await TestHub.with(["old": Array("o".utf8)]) { hub in
            let body: [String: Any] = [
                "summary": "s", "description": "d",
                "files": [["path": "a", "content": "YQ==", "encoding": "base64"]],
                "deletedEntries": [["path": "old"]],
            ]
            #expect(await hub.writer.post(hub.api + "/commit/main", json: body).status == 200)
            #expect(hub.git("ls-tree", "--name-only", "main") == ".gitattributes\na")
            #expect(hub.git("log", "-1", "--format=%B") == "s\n\nd")
        }
    }

    @Test func refusals() async throws {
        try await TestHub.with(["file": Array("f".utf8), "dir/x": Array("x".utf8)]) { hub in
            let head = hub.git("rev-parse", "main")
            let unknown = TestHub.lfsFile("l.bin", [1, 2, 3])
            let cases: [(status: Int, lines: [[String: Any]])] = [
                (422, [TestHub.file("a\\b", "")]), (422, [TestHub.file("/a", "")]),
                (422, [TestHub.file("../a", "")]), (422, [TestHub.file(".git/a", "")]),
                (422, [TestHub.file("twice", "1"), TestHub.file("twice", "2")]),
                (422, [TestHub.file("file/below", "")]), (422, [TestHub.file("dir", "")]),
                (422, [TestHub.file("n", ""), TestHub.file("n/below", "")]),
                (422, [["key": "nonsense", "value": ["path": "a"]]]),
                (
                    422,
                    [
                        [
                            "key": "file",
                            "value": ["path": "a", "content": "*", "encoding": "base64"],
                        ]
                    ]
                ),
                (404, [TestHub.deletion("nope")]), (400, [unknown]),
            ]
            for (status, lines) in cases {
                let answer = await hub.commit(lines)
                #expect(answer.status == status, "\(lines)")
            }
            let stale = await hub.commit(
                [TestHub.file("a", "")], parent: String(repeating: "0", count: 40))
            #expect(stale.status == 412)
            let nowhere = await hub.commit([TestHub.file("a", "")], revision: "nope")
            #expect(nowhere.headers["x-error-code"] == "RevisionNotFound")
            let detached = await hub.commit([TestHub.file("a", "")], revision: head)
            #expect(detached.status == 404)
            let large = String(repeating: "x", count: UploadMode.regularSizeMax + 1)
            let tooLarge = await hub.commit([TestHub.file("large.txt", large)])
            #expect(tooLarge.status == 400)
            #expect(hub.git("rev-parse", "main") == head)
        }
    }

    @Test func whatIsDeletedMakesRoom() async throws {
        try await TestHub.with(["file": Array("f".utf8), "dir/x": Array("x".utf8)]) { hub in
            let answer = await hub.commit([
                TestHub.file("file/below", "b"), TestHub.deletion("file"), TestHub.file("dir", "d"),
                TestHub.deletion("dir", key: "deletedFolder"),
            ])
            #expect(answer.status == 200)
            #expect(hub.git("show", "main:file/below") == "b")
            #expect(hub.git("show", "main:dir") == "d")
        }
    }

    @Test func aParentMayBeShortAndMustBeTheHead() async throws {
        try await TestHub.with { hub in
            let first = hub.git("rev-parse", "main")
            let short = String(first.prefix(10))
            #expect(await hub.commit([TestHub.file("a", "1")], parent: short).status == 200)
            #expect(await hub.commit([TestHub.file("a", "2")], parent: first).status == 412)
            let second = hub.git("rev-parse", "main")
            #expect(await hub.commit([TestHub.file("a", "3")], parent: second).status == 200)
        }
    }

    /// The body stops at each of many places; the repo must stay what it was.
    @Test func aPushKilledHalfWayChangesNothing() async throws {
        try await TestHub.with { hub in
            let head = hub.git("rev-parse", "main")
            let body = TestHub.ndjson([TestHub.file("a", "hello"), TestHub.file("b", "world")])
            for end in stride(from: 0, to: body.count, by: 17) {
                _ = await hub.writer.send(
                    "POST", hub.api + "/commit/main", body: body, sendOnly: end)
            }
            let after = await hub.commit([TestHub.file("c", "c")])
            #expect(after.status == 200)
            #expect(hub.git("rev-parse", "main^") == head)
            #expect(hub.git("for-each-ref", "--format=%(refname)") == "refs/heads/main")
            #expect(hub.git("fsck", "--strict", "--no-dangling") == "")
        }
    }

    /// Commits at the same time all land, one after the other.
    @Test func concurrentCommitsAllLand() async throws {
        try await TestHub.with { hub in
            let statuses = await withTaskGroup(of: Int.self) { group in
                for number in 0..<12 {
                    group.addTask {
                        await hub.commit([TestHub.file("n\(number)", "\(number)")]).status
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 12))
            #expect(hub.git("rev-list", "--count", "main") == "13")
            let names = hub.git("ls-tree", "--name-only", "main").split(separator: "\n")
            #expect(names.count == 13)
        }
    }

    /// Of commits with the same parent exactly one lands.
    @Test func concurrentCommitsWithAParentLandOnce() async throws {
        try await TestHub.with { hub in
            let head = hub.git("rev-parse", "main")
            let statuses = await withTaskGroup(of: Int.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        await hub.commit([TestHub.file("n\(number)", "")], parent: head).status
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [200] + Array(repeating: 412, count: 7))
            #expect(hub.git("rev-list", "--count", "main") == "2")
        }
    }

    @Test func branchesAndTags() async throws {
        try await TestHub.with { hub in
            let head = hub.git("rev-parse", "main")
            func post(_ path: String, _ body: Any = [:]) async -> Int {
                await hub.writer.post(hub.api + path, json: body).status
            }
            func delete(_ path: String) async -> WireAnswer {
                await hub.writer.send("DELETE", hub.api + path)
            }
            #expect(await post("/branch/feat%2Fx") == 200)
            #expect(await post("/branch/feat%2Fx") == 409)
            #expect(await post("/branch/refs%2Fheads%2Fy") == 400)
            #expect(await post("/branch/z", ["startingPoint": "nope"]) == 404)
            #expect(await post("/branch/empty", ["emptyBranch": true]) == 200)
            #expect(await post("/tag/main", ["tag": "v1", "message": "hello"]) == 200)
            #expect(await post("/tag/main", ["tag": "v1"]) == 409)
            let commit = await hub.commit([TestHub.file("b", "b")], revision: "feat%2Fx")
            #expect(commit.status == 200)
            let refs = await hub.anonymous.get(hub.api + "/refs?include_prs=1")
            let branches = refs.object["branches"] as? [[String: String]] ?? []
            #expect(Set(branches.compactMap { $0["name"] }) == ["main", "feat/x", "empty"])
            let tags = refs.object["tags"] as? [[String: String]] ?? []
            #expect(tags.first?["targetCommit"] == head, "peeled")
            #expect(hub.git("rev-parse", "feat/x^") == head)
            #expect(await delete("/branch/main").status == 403)
            #expect(await delete("/branch/v1").headers["x-error-code"] == "RevisionNotFound")
            #expect(await delete("/branch/feat%2Fx").status == 200)
            #expect(await delete("/tag/v1").status == 200)
            #expect(
                hub.git("for-each-ref", "--format=%(refname)")
                    == "refs/heads/empty\nrefs/heads/main")
        }
    }
}
