import Foundation
import Testing

@testable import LocalHub

/// The reading side over real sockets, compared with git's own view.
@Suite struct ReadingTests {
    static let small: [String: [UInt8]] = [
        "config.json": Array("{}\n".utf8), "dir/a b#c?.txt": Array("x".utf8),
        "dir/sub/deep.txt": Array("deep".utf8), "empty": [], "model.bin": TestHub.binary(300_000),
        "zdir/z.txt": Array("z".utf8),
    ]

    @Test func infoNamesTheHeadAndAllFiles() async throws {
        try await TestHub.with(Self.small) { hub in
            let info = await hub.anonymous.get(hub.api)
            #expect(info.status == 200)
            #expect(info.object["sha"] as? String == hub.git("rev-parse", "main"))
            #expect(info.object["id"] as? String == "org/repo")
            let names = (info.object["siblings"] as? [[String: Any]])?.compactMap {
                $0["rfilename"] as? String
            }
            let files = hub.git("ls-tree", "-r", "--name-only", "-z", "main")
            #expect(Set(names ?? []) == Set(files.split(separator: "\0").map(String.init)))
            let blobs = await hub.anonymous.get(hub.api + "/revision/main?blobs=true")
            let siblings = blobs.object["siblings"] as? [[String: Any]] ?? []
            let model = siblings.first { $0["rfilename"] as? String == "model.bin" }
            #expect(model?["size"] as? Int == 300_000)
            let lfs = model?["lfs"] as? [String: Any]
            #expect(lfs?["sha256"] as? String == TestHub.sha256(Self.small["model.bin"] ?? []))
            let expanded = await hub.anonymous.get(hub.api + "?expand=sha&expand%5B%5D=usedStorage")
            #expect(Set(expanded.object.keys) == ["_id", "id", "sha", "usedStorage"])
        }
    }

    @Test func treePagesAddUpWhateverTheirSize() async throws {
        try await TestHub.with(Self.small) { hub in
            let listed = hub.git("ls-tree", "-r", "-t", "-z", "main").split(separator: "\0")
            let expected = listed.map { $0.split(separator: "\t").last.map(String.init) ?? "" }
            for limit in 1...9 {
                var url: String? = hub.api + "/tree/main?recursive=true&expand=false&limit=\(limit)"
                var paths: [String] = []
                while let page = url {
                    let answer = await hub.anonymous.get(page)
                    #expect(answer.array.count <= limit)
                    paths += answer.array.compactMap { $0["path"] as? String }
                    url = answer.next
                    #expect(url?.hasPrefix(hub.endpoint) ?? true, "absolute")
                }
                #expect(paths == expected, "limit \(limit)")
            }
        }
    }

    @Test func pagesOfOneListingAreOfOneCommit() async throws {
        try await TestHub.with(Self.small) { hub in
            let first = await hub.anonymous.get(hub.api + "/tree/main?recursive=true&limit=3")
            _ = await hub.commit([TestHub.deletion("zdir/z.txt"), TestHub.file("new.txt", "n")])
            let second = await hub.anonymous.get(
                try #require(first.next).replacing("limit=3", with: "limit=1000"))
            let paths = (first.array + second.array).compactMap { $0["path"] as? String }
            #expect(paths.contains("zdir/z.txt"))
            #expect(!paths.contains("new.txt"))
        }
    }

    @Test func treeOfAFolderInBothSpellings() async throws {
        try await TestHub.with(Self.small) { hub in
            for path in ["dir%2Fsub", "dir/sub", "dir/sub/"] {
                let answer = await hub.anonymous.get(hub.api + "/tree/main/" + path)
                #expect(answer.array.map { $0["path"] as? String } == ["dir/sub/deep.txt"])
            }
            for missing in ["nope", "config.json", "dir/nope"] {
                let answer = await hub.anonymous.get(hub.api + "/tree/main/" + missing)
                #expect(answer.status == 404)
                #expect(answer.headers["x-error-code"] == "EntryNotFound")
            }
        }
    }

    @Test func lastCommitsAreGitsOwn() async throws {
        try await TestHub.with(Self.small) { hub in
            _ = await hub.commit([TestHub.file("dir/sub/deep.txt", "changed")])
            let answer = await hub.anonymous.get(
                hub.api + "/tree/main?recursive=true&expand=true")
            #expect(answer.array.count == 10)
            for entry in answer.array {
                let path = try #require(entry["path"] as? String)
                let last = try #require(entry["lastCommit"] as? [String: Any])
                #expect(
                    last["id"] as? String == hub.git("log", "-1", "--format=%H", "--", path))
            }
        }
    }

    @Test func pathsInfoInBothForms() async throws {
        try await TestHub.with(Self.small) { hub in
            let form = await hub.anonymous.send(
                "POST", hub.api + "/paths-info/main",
                headers: ["Content-Type": "application/x-www-form-urlencoded"],
                body: Array("paths=dir&paths=nope&paths=dir%2Fa+b%23c%3F.txt&expand=false".utf8))
            let json = await hub.anonymous.post(
                hub.api + "/paths-info/main",
                json: ["paths": ["dir", "nope", "dir/a b#c?.txt"], "expand": false] as [String: Any]
            )
            for answer in [form, json] {
                #expect(answer.array.map { $0["path"] as? String } == ["dir", "dir/a b#c?.txt"])
                #expect(answer.array.map { $0["type"] as? String } == ["directory", "file"])
            }
            let many = String(repeating: "paths=x&", count: 1001)
            let refused = await hub.anonymous.send(
                "POST", hub.api + "/paths-info/main", body: Array(many.utf8))
            #expect(refused.status == 413)
        }
    }

    @Test func smallFilesComeThroughResolveCache() async throws {
        try await TestHub.with(Self.small) { hub in
            let oid = hub.git("rev-parse", "main:dir/a b#c?.txt")
            let commit = hub.git("rev-parse", "main")
            let url = hub.endpoint + "/org/repo/resolve/main/dir/a%20b%23c%3F.txt"
            let redirect = await hub.anonymous.send("HEAD", url)
            #expect(redirect.status == 307)
            #expect(redirect.headers["x-repo-commit"] == commit)
            #expect(redirect.headers["x-linked-etag"] == "\"\(oid)\"")
            #expect(redirect.headers["x-linked-size"] == "1")
            let answer = await hub.anonymous.follow(url)
            #expect(answer.status == 200)
            #expect(answer.text == "x")
            #expect(answer.headers["etag"] == "\"\(oid)\"")
            let known = await hub.anonymous.follow(url, headers: ["If-None-Match": "\"\(oid)\""])
            #expect(known.status == 304)
            #expect(known.byteCount > 0 && known.body.isEmpty)
            let empty = await hub.anonymous.follow(hub.endpoint + "/org/repo/resolve/main/empty")
            #expect(empty.status == 200)
            #expect(empty.headers["content-length"] == "0")
        }
    }

    @Test func anotherServerMayHandOutLargeFiles() async throws {
        var options = LocalHubServer.Options()
        options.downloadOrigin = "http://objects.example:8082"
        try await TestHub.with(Self.small, options: options) { hub in
            let content = try #require(Self.small["model.bin"])
            let redirect = await hub.anonymous.get(
                hub.endpoint + "/org/repo/resolve/main/model.bin")
            #expect(redirect.status == 302)
            let place = try #require(redirect.headers["location"])
            #expect(
                place.hasPrefix(
                    "http://objects.example:8082/models/org/repo/\(TestHub.sha256(content))?Expires="
                ))
            // Its own listener answers to the same signed paths.
            let here = hub.server.cdnEndpoint + place.dropFirst("http://objects.example:8082".count)
            #expect(isSame(await hub.anonymous.get(here).body, content))
        }
    }

    @Test func largeFilesComeFromTheCDNInAnyRange() async throws {
        let content = try #require(Self.small["model.bin"])
        try await TestHub.with(Self.small) { hub in
            let url = hub.endpoint + "/org/repo/resolve/main/model.bin"
            let redirect = await hub.anonymous.get(url)
            #expect(redirect.status == 302)
            #expect(redirect.headers["x-linked-etag"] == "\"\(TestHub.sha256(content))\"")
            #expect(redirect.headers["x-linked-size"] == "300000")
            let place = try #require(redirect.headers["location"])
            #expect(place.hasPrefix(hub.server.cdnEndpoint + "/"))
            #expect(hub.server.cdnEndpoint.hasPrefix("http://localhost:"))
            #expect(isSame(await hub.anonymous.get(place).body, content))
            for (first, last) in [(0, 0), (99_999, 200_000), (299_999, 400_000)] {
                let part = await hub.anonymous.get(
                    place, headers: ["Range": "bytes=\(first)-\(last)"])
                let end = min(last, 299_999)
                #expect(part.status == 206)
                #expect(part.headers["content-range"] == "bytes \(first)-\(end)/300000")
                #expect(isSame(part.body, content[first...end]))
            }
            let beyond = await hub.anonymous.get(place, headers: ["Range": "bytes=300000-"])
            #expect(beyond.status == 416)
            #expect(beyond.headers["content-range"] == "bytes */300000")
            let head = await hub.anonymous.send("HEAD", place)
            #expect(head.headers["content-length"] == "300000" && head.body.isEmpty)
            let forged = await hub.anonymous.get(place.replacing("Signature=", with: "Signature=0"))
            #expect(forged.status == 403)
            let raw = await hub.anonymous.get(hub.endpoint + "/org/repo/raw/main/model.bin")
            #expect(raw.text.hasPrefix("version https://git-lfs.github.com/spec/v1\n"))
        }
    }

    @Test func urlsExpire() async throws {
        var options = LocalHubServer.Options()
        options.urlLifetimeSeconds = 0
        try await TestHub.with(Self.small, options: options) { hub in
            let answer = await hub.anonymous.follow(
                hub.endpoint + "/org/repo/resolve/main/model.bin")
            #expect(answer.status == 403)
            #expect(answer.text == "Request has expired")
        }
    }

    @Test func revisions() async throws {
        try await TestHub.with(Self.small) { hub in
            let old = hub.git("rev-parse", "main")
            _ = await hub.commit([TestHub.file("config.json", "new")])
            _ = hub.git("update-ref", "refs/pr/1", old)
            _ = await hub.writer.post(
                hub.api + "/tag/" + old, json: ["tag": "v/1", "message": "m"])
            for name in [
                old, String(old.prefix(8)), "refs%2Fpr%2F1", "v%2F1", "refs%2Ftags%2Fv%2F1",
            ] {
                let answer = await hub.anonymous.get(hub.api + "/revision/" + name)
                #expect(answer.object["sha"] as? String == old, "\(name)")
            }
            let split = await hub.anonymous.get(
                hub.endpoint + "/org/repo/resolve/refs/pr/1/config.json")
            #expect(split.status == 404)
            for name in ["zzz", "main~1", "main%5E", old.replacing("a", with: "0") + "0"] {
                let answer = await hub.anonymous.get(hub.api + "/revision/" + name)
                #expect(answer.status == 404)
                #expect(answer.headers["x-error-code"] == "RevisionNotFound")
            }
            let missing = await hub.anonymous.get(hub.endpoint + "/org/repo/resolve/main/nope")
            #expect(missing.status == 404)
            #expect(missing.text == "Entry not found")
            #expect(missing.headers["x-repo-commit"] == hub.git("rev-parse", "main"))
        }
    }

    @Test func commitsInPages() async throws {
        try await TestHub.with(Self.small) { hub in
            for number in 1...3 { _ = await hub.commit([TestHub.file("n", "\(number)")]) }
            let first = await hub.anonymous.get(hub.api + "/commits/main?limit=2")
            #expect(first.headers["x-total-count"] == "5")
            let second = await hub.anonymous.get(try #require(first.next))
            let third = await hub.anonymous.get(try #require(second.next))
            #expect(third.next == nil)
            let ids = (first.array + second.array + third.array).compactMap { $0["id"] as? String }
            #expect(ids.joined(separator: "\n") == hub.git("rev-list", "main"))
        }
    }

    @Test func treeSizeCountsContents() async throws {
        try await TestHub.with(Self.small) { hub in
            let answer = await hub.anonymous.get(hub.api + "/treesize/main/dir")
            #expect(answer.object["size"] as? Int == 5)
            let root = await hub.anonymous.get(hub.api + "/treesize/main/")
            let attributes = GitAttributes.initial.utf8.count
            #expect(root.object["size"] as? Int == 300_000 + 3 + 5 + 1 + attributes)
        }
    }

    @Test func unknownPathsAre404() async throws {
        try await TestHub.with { hub in
            for path in [
                "/", "/api", "/api/agent-harnesses", "/api/models/org/repo/nope", "/org/repo",
            ] {
                #expect(await hub.anonymous.get(hub.endpoint + path).status == 404, "\(path)")
            }
            #expect(await hub.anonymous.get(hub.server.cdnEndpoint + "/x").status == 404)
        }
    }
}
