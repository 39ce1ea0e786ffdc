import Foundation
import Testing

@testable import LocalHub

/// What a commit must not say, and what it may.
@Suite struct CommitRulesTests {
    private static let files: [String: [UInt8]] = [
        "a": Array("a".utf8), "b": Array("b".utf8), "dir/x": Array("x".utf8),
        "dir/y": Array("y".utf8), "w.bin": TestHub.binary(3000),
    ]

    private static func lfs(_ value: [String: Any]) -> [String: Any] {
        ["key": "lfsFile", "value": ["algo": "sha256"].merging(value) { $1 }]
    }

    /// Each is refused as a whole: the branch stays.
    @Test func aPathOccursOnce() async throws {
        try await TestHub.with(Self.files) { hub in
            let head = hub.git("rev-parse", "main")
            let cases: [[[String: Any]]] = [
                [TestHub.file("n", "1"), TestHub.file("n", "2")],
                [TestHub.file("a", "1"), TestHub.deletion("a")],
                [TestHub.deletion("a"), TestHub.file("a", "1")],
                [TestHub.deletion("a"), TestHub.deletion("a", key: "deletedEntry")],
                [
                    TestHub.deletion("dir", key: "deletedFolder"),
                    TestHub.deletion("dir/", key: "deletedFolder"),
                ],
                [TestHub.file("n", "1"), TestHub.lfsFile("n", TestHub.binary(3000))],
                [TestHub.file("n", "1"), TestHub.file("n/m/o", "2")],
                [TestHub.file("dir", "1")], [TestHub.file("a/b/c", "1")],
            ]
            for lines in cases {
                #expect(await hub.commit(lines).status == 422, "\(lines)")
            }
            #expect(hub.git("rev-parse", "main") == head)
        }
    }

    @Test func deletionsMakeRoomWhateverTheOrder() async throws {
        try await TestHub.with(Self.files) { hub in
            let answer = await hub.commit([
                TestHub.file("a/below", "1"), TestHub.file("dir", "file now"),
                TestHub.deletion("dir/", key: "deletedFolder"), TestHub.deletion("a"),
            ])
            #expect(answer.status == 200)
            #expect(hub.git("show", "main:a/below") == "1")
            #expect(hub.git("show", "main:dir") == "file now")
        }
    }

    /// A folder that goes takes what was in it, not what the same commit puts there.
    @Test func aDeletedFolderMayBeFilledAgain() async throws {
        try await TestHub.with(Self.files) { hub in
            let answer = await hub.commit([
                TestHub.file("dir/new", "n"), TestHub.file("dir/y", "again"),
                TestHub.deletion("dir", key: "deletedFolder"),
            ])
            #expect(answer.status == 200)
            #expect(hub.git("ls-tree", "-r", "--name-only", "main", "dir") == "dir/new\ndir/y")
            #expect(hub.git("show", "main:dir/y") == "again")
        }
    }

    /// All three words for a deletion take files and folders.
    @Test func everyKeyDeletesFilesAndFolders() async throws {
        for key in ["deletedFile", "deletedFolder", "deletedEntry"] {
            try await TestHub.with(Self.files) { hub in
                let lines = [
                    TestHub.deletion("a", key: key), TestHub.deletion("dir", key: key),
                ]
                #expect(await hub.commit(lines).status == 200, "\(key)")
                #expect(
                    hub.git("ls-tree", "-r", "--name-only", "main")
                        == ".gitattributes\nb\nw.bin")
                for path in ["a", "dir", "dir/x"] {
                    let again = await hub.commit([TestHub.deletion(path, key: key)])
                    #expect(again.status == 404, "\(key) \(path)")
                    #expect(again.headers["x-error-code"] == "EntryNotFound")
                }
            }
        }
    }

    @Test func filesMayChangePlaces() async throws {
        try await TestHub.with(Self.files) { hub in
            let answer = await hub.commit([
                ["key": "file", "value": ["path": "a", "oldPath": "b"]],
                ["key": "file", "value": ["path": "b", "oldPath": "a"]],
                Self.lfs([
                    "path": "moved.bin", "oldPath": "w.bin", "size": 3000,
                    "oid": TestHub.sha256(TestHub.binary(3000)),
                ]),
            ])
            #expect(answer.status == 200)
            #expect(hub.git("show", "main:a") == "b")
            #expect(hub.git("show", "main:b") == "a")
            #expect(
                hub.git("ls-tree", "-r", "--name-only", "main")
                    == ".gitattributes\na\nb\ndir/x\ndir/y\nmoved.bin")
        }
    }

    @Test func whatAnLFSFileMustSay() async throws {
        let oid = TestHub.sha256(TestHub.binary(3000))
        try await TestHub.with(Self.files) { hub in
            let cases: [(status: Int, value: [String: Any])] = [
                (400, ["path": "n", "oid": String(repeating: "a", count: 64), "size": 3]),
                (400, ["path": "n", "oid": oid, "size": 2999]),
                (422, ["path": "n", "oid": oid.uppercased(), "size": 3000]),
                (422, ["path": "n", "oid": String(oid.dropLast()), "size": 3000]),
                (422, ["path": "n", "size": 3000]),
                (422, ["path": "n", "oid": oid, "size": 3000, "algo": "sha1"]),
                (422, ["path": "n", "oldPath": "w.bin"]),
                (422, ["path": "n", "oldPath": "a", "size": 1]),
                (404, ["path": "n", "oldPath": "nope", "size": 1]),
                (422, ["path": String(repeating: "n", count: 1001), "oid": oid, "size": 3000]),
                (200, ["path": "copy", "oid": oid]),
                (200, ["path": "moved", "oldPath": "copy", "size": 3000]),
            ]
            for (status, value) in cases {
                let answer = await hub.commit([Self.lfs(value)])
                #expect(answer.status == status, "\(value)")
            }
        }
    }

    @Test func theHeaderComesFirstAndSaysSomething() async throws {
        try await TestHub.with(Self.files) { hub in
            func post(_ lines: [[String: Any]]) async -> Int {
                let texts = lines.compactMap {
                    try? JSONSerialization.data(withJSONObject: $0)
                }
                return await hub.writer.send(
                    "POST", hub.api + "/commit/main",
                    headers: ["Content-Type": "application/x-ndjson"],
                    body: Array(texts.joined(separator: Data("\n".utf8)))
                ).status
            }
            let header: [String: Any] = ["key": "header", "value": ["summary": "s"]]
            let blank: [String: Any] = ["key": "header", "value": ["summary": " \n"]]
            let file = TestHub.file("n", "1")
            #expect(await post([file, header]) == 422)
            #expect(await post([header, header, file]) == 422)
            #expect(await post([blank, file]) == 422)
            #expect(await post([file]) == 422)
            #expect(await post([]) == 422)
            #expect(await post([header, file]) == 200)
        }
    }

    @Test func limits() async throws {
        let oid = TestHub.sha256(TestHub.binary(3000))
        try await TestHub.with(Self.files) { hub in
            let head = hub.git("rev-parse", "main")
            let most = UploadMode.regularSizeMax
            func text(_ count: Int) -> String { String(repeating: "x", count: count) }
            #expect(await hub.commit([TestHub.file("large", text(most + 1))]).status == 400)
            let tooMany = (0...CommitDraft.lfsCountMax).map {
                Self.lfs(["path": "d/\($0)", "oid": oid])
            }
            #expect(await hub.commit(tooMany).status == 400)
            #expect(hub.git("rev-parse", "main") == head)
            #expect(await hub.commit([TestHub.file("large", text(most))]).status == 200)
            #expect(hub.git("cat-file", "-s", "main:large") == String(most))
        }
    }

    @Test func namesTheHubRefuses() async throws {
        try await TestHub.with(Self.files) { hub in
            let head = hub.git("rev-parse", "main")
            let names = [
                "", "/", "/a", "n/", "n//m", "./n", "n/.", "../n", "n/../m", "n\\m", ".git/n",
                "n/.git", "N/.GIT/m", "n\u{0}m", "n\nm", "n\u{7f}",
                String(repeating: "n", count: 256), String(repeating: "n/", count: 500) + "n",
            ]
            for name in names {
                let put = await hub.commit([TestHub.file(name, "1")])
                #expect(put.status == 422, "put \(name)")
                let move: [String: Any] = [
                    "key": "file", "value": ["path": "ok", "oldPath": name],
                ]
                #expect(await hub.commit([move]).status == 422, "move \(name)")
            }
            #expect(hub.git("rev-parse", "main") == head)
            let odd = ["é", "e\u{301}", "a b", "\"q\"", "#?%", "日本", ".hidden", "x.git"]
            let answer = await hub.commit(odd.map { TestHub.file("odd/" + $0, $0) })
            #expect(answer.status == 200)
            let count = hub.git("ls-tree", "--name-only", "main", "odd/").split(separator: "\n")
            #expect(count.count == odd.count)
        }
    }
}
