import Foundation
import Testing

@testable import LocalHub

@Suite struct UploadTests {
    private func batch(
        _ hub: TestHub, _ content: [UInt8], operation: String = "upload"
    ) async -> [String: Any] {
        let object: [String: Any] = ["oid": TestHub.sha256(content), "size": content.count]
        let answer = await hub.writer.post(
            hub.endpoint + "/org/repo.git/info/lfs/objects/batch",
            json: [
                "operation": operation, "transfers": ["basic", "multipart"], "objects": [object],
                "hash_algo": "sha256",
            ] as [String: Any])
        #expect(answer.headers["content-type"] == "application/vnd.git-lfs+json")
        return (answer.object["objects"] as? [[String: Any]])?.first ?? [:]
    }

    private func href(_ object: [String: Any], _ action: String) -> String? {
        let actions = object["actions"] as? [String: [String: Any]]
        return actions?[action]?["href"] as? String
    }

    @Test func anObjectIsUploadedVerifiedCommittedAndRead() async throws {
        let content = TestHub.binary(2_500_000)
        try await TestHub.with { hub in
            let offer = await batch(hub, content)
            let place = try #require(href(offer, "upload"))
            #expect(await hub.anonymous.send("PUT", place, body: content).status == 200)
            let verify = try #require(href(offer, "verify"))
            let id: [String: Any] = ["oid": TestHub.sha256(content), "size": content.count]
            #expect(await hub.writer.post(verify, json: id).status == 200)
            #expect(await batch(hub, content)["actions"] == nil, "known objects need no upload")
            #expect(await hub.commit([TestHub.lfsFile("m.bin", content)]).status == 200)
            let read = await hub.anonymous.follow(hub.endpoint + "/org/repo/resolve/main/m.bin")
            #expect(isSame(read.body, content))
            let pointer = hub.git("show", "main:m.bin")
            #expect(LFSPointer(parsing: Array((pointer + "\n").utf8))?.size == content.count)
            let download = await batch(hub, content, operation: "download")
            #expect(isSame(await hub.anonymous.get(href(download, "download") ?? "").body, content))
        }
    }

    @Test func wrongBytesAndHalfUploadsLeaveNothing() async throws {
        let content = TestHub.binary(400_000)
        try await TestHub.with { hub in
            let place = try #require(href(await batch(hub, content), "upload"))
            var wrong = content
            wrong[7] ^= 1
            #expect(await hub.anonymous.send("PUT", place, body: wrong).status == 400)
            #expect(await hub.anonymous.send("PUT", place, body: [1, 2, 3]).status == 400)
            _ = await hub.anonymous.send("PUT", place, body: content, sendOnly: 200_000)
            let forged = place.replacing("Signature=", with: "Signature=0")
            #expect(await hub.anonymous.send("PUT", forged, body: content).status == 403)
            #expect(href(await batch(hub, content), "upload") != nil, "still not stored")
            #expect(await hub.commit([TestHub.lfsFile("m.bin", content)]).status == 400)
            #expect(await hub.anonymous.send("PUT", place, body: content).status == 200)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: hub.root + "/incoming") == [])
        }
    }

    @Test func preuploadTellsModeOidAndIgnores() async throws {
        try await TestHub.with([
            ".gitignore": Array("*.log\n".utf8), "a.txt": Array("a".utf8), "b.bin": [1, 0, 2],
        ]) { hub in
            func file(_ path: String, _ bytes: [UInt8], size: Int? = nil) -> [String: Any] {
                let sample = Data(bytes).base64EncodedString()
                return ["path": path, "sample": sample, "size": size ?? bytes.count]
            }
            let files = [
                file("a.txt", [97]), file("b.bin", [1]), file("c.log", [97]), file("d", [0, 1]),
                file("e.txt", [97], size: 11 << 20), file("f.bin", []),
            ]
            let answer = await hub.writer.post(hub.api + "/preupload/main", json: ["files": files])
            let found = answer.object["files"] as? [[String: Any]] ?? []
            let modes = found.map { $0["uploadMode"] as? String }
            #expect(modes == ["regular", "lfs", "regular", "lfs", "lfs", "regular"])
            let ignored = found.map { $0["shouldIgnore"] as? Bool }
            #expect(ignored == [false, false, true, false, false, false])
            #expect(found[0]["oid"] as? String == hub.git("rev-parse", "main:a.txt"))
            #expect(found[1]["oid"] as? String == TestHub.sha256([1, 0, 2]))
            #expect(found[3]["oid"] == nil)
        }
    }

    @Test func reposAreMadeListedAndDeleted() async throws {
        try await TestHub.with { hub in
            let create = hub.endpoint + "/api/repos/create"
            let body: [String: Any] = [
                "name": "r1", "organization": "org", "type": "dataset", "private": true,
            ]
            let made = await hub.writer.post(create, json: body)
            #expect(made.status == 200)
            #expect(made.object["url"] as? String == hub.endpoint + "/datasets/org/r1")
            let again = await hub.writer.post(create, json: body)
            #expect(again.status == 409)
            #expect(again.object["url"] as? String == hub.endpoint + "/datasets/org/r1")
            #expect(await hub.writer.post(create, json: ["name": "a--b"]).status == 400)
            #expect(await hub.stranger.post(create, json: body).status == 403)
            #expect(await hub.reader.post(create, json: body).status == 403)
            #expect(await hub.anonymous.post(create, json: body).status == 401)
            let own = await hub.stranger.post(create, json: ["name": "mine"])
            #expect(own.object["name"] as? String == "stranger/mine")
            let tree = await hub.writer.get(hub.endpoint + "/api/datasets/org/r1/tree/main")
            #expect(tree.array.map { $0["path"] as? String } == [".gitattributes"])
            let delete = try JSONSerialization.data(withJSONObject: body)
            for status in [200, 404] {
                let answer = await hub.writer.send(
                    "DELETE", hub.endpoint + "/api/repos/delete", body: Array(delete))
                #expect(answer.status == status)
            }
            let gone = await hub.writer.get(hub.endpoint + "/api/datasets/org/r1")
            #expect(gone.headers["x-error-code"] == "RepoNotFound")
        }
    }

    @Test func listsInPages() async throws {
        try await TestHub.with { hub in
            for name in ["org/alpha", "org/beta", "other/Alphabet"] { try hub.add(name, [:]) }
            func ids(_ query: String) async -> [String] {
                var url: String? = hub.endpoint + "/api/models?" + query
                var found: [String] = []
                while let page = url {
                    let answer = await hub.anonymous.get(page)
                    found += answer.array.compactMap { $0["id"] as? String }
                    url = answer.next
                }
                return found
            }
            #expect(await ids("author=org&limit=1") == ["org/alpha", "org/beta", "org/repo"])
            #expect(await ids("search=ALPHA") == ["org/alpha", "other/Alphabet"])
            #expect(await ids("limit=2").count == 4)
        }
    }
}
