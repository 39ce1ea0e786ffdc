import Foundation
import Testing

@testable import LocalHub

@Suite struct AdminTests {
    @Test func countersCountRequestsAndBodyBytesByClass() async throws {
        let content = TestHub.binary(100_000)
        try await TestHub.with(["a.txt": Array("hello".utf8), "m.bin": content]) { hub in
            let small = hub.endpoint + "/org/repo/resolve/main/a.txt"
            let redirect = await hub.anonymous.get(small)
            hub.server.counters.reset()
            _ = await hub.anonymous.follow(small)
            _ = await hub.anonymous.follow(
                hub.endpoint + "/org/repo/resolve/main/m.bin", headers: ["Range": "bytes=0-999"])
            let info = await hub.anonymous.get(hub.api)
            _ = await hub.anonymous.post(hub.api + "/paths-info/main", json: ["paths": ["a.txt"]])
            let counted = hub.server.counters.snapshot
            #expect(counted[.resolve].requests == 3)
            #expect(counted[.resolve].bytesSent >= redirect.body.count + 5)
            #expect(counted[.cdn] == .init(requests: 1, bytesSent: 1000, bytesReceived: 0))
            #expect(counted[.api].requests == 2)
            #expect(counted[.api].bytesSent > info.body.count)
            #expect(counted[.api].bytesReceived == "{\"paths\":[\"a.txt\"]}".utf8.count)
            #expect(counted[.lfs].requests == 0)
            #expect(counted.endpoints["resolve"] == 2)
            #expect(counted.endpoints["resolve-cache"] == 1)
            #expect(counted.endpoints["tree"] == nil)
            #expect(counted.connections == 6)
        }
    }

    @Test func theAdminAPI() async throws {
        try await TestHub.with { hub in
            let faults = hub.endpoint + "/_localhub/faults"
            let added = await hub.anonymous.post(
                faults,
                json: ["kind": "status", "status": 500, "path": "/api/*", "count": 1]
                    as [String: Any])
            let id = try #require(added.object["id"] as? Int)
            #expect(await hub.anonymous.get(hub.api).status == 500)
            let list = await hub.anonymous.get(faults)
            #expect(list.array.first?["fired"] as? Int == 1)
            #expect(list.array.first?["id"] as? Int == id)
            #expect(await hub.anonymous.post(faults, json: ["kind": "nonsense"]).status == 422)
            #expect(await hub.anonymous.send("DELETE", faults + "/\(id)").status == 200)
            #expect(await hub.anonymous.send("DELETE", faults + "/\(id)").status == 404)
            #expect(await hub.anonymous.get(faults).array.isEmpty)

            let stats = hub.endpoint + "/_localhub/stats"
            let before = await hub.anonymous.send("DELETE", stats)
            let classes = before.object["classes"] as? [String: [String: Int]]
            #expect(classes?["api"]?["requests"] == 1)
            #expect(
                Set(classes?.keys ?? [:].keys) == ["api", "resolve", "cdn", "lfs", "cas", "xorb"])
            let after = await hub.anonymous.get(stats)
            let now = after.object["classes"] as? [String: [String: Int]]
            #expect(now?["api"]?["requests"] == 0, "the admin API does not count itself")
        }
    }

    @Test func theRunFileTellsWhereTheServerIs() async throws {
        try await TestHub.with { hub in
            let run = try RunFile.read(from: hub.server.hub.folder.runFile)
            #expect(run.endpoint == hub.endpoint)
            #expect(run.cdn == hub.server.cdnEndpoint)
            #expect(run.pid == ProcessInfo.processInfo.processIdentifier)
            await hub.server.stop()
            #expect(!FileManager.default.fileExists(atPath: hub.server.hub.folder.runFile))
        }
    }

    @Test func tokensAreKeptAsDigests() async throws {
        try await TestHub.with { hub in
            let token = try #require(hub.writer.token)
            #expect(token.hasPrefix("hf_"))
            for name in ["hub.sqlite", "hub.sqlite-wal"] {
                let path = hub.root + "/" + name
                guard let data = FileManager.default.contents(atPath: path) else { continue }
                #expect(data.range(of: Data(token.utf8)) == nil)
            }
            #expect(try hub.registry.deleteToken(name: "writer"))
            #expect(await hub.writer.get(hub.api).status == 401)
        }
    }
}
