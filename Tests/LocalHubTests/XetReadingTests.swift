import Foundation
import Testing
import XetCodec

@testable import LocalHub

/// The CAS on the wire: tokens, reconstructions, parts of xorbs.
struct XetReadingTests {
    private static let content = XetWire.noise(400_000)
    private let files = ["large.bin": content, "small.txt": [0x61]]

    private static func fileHash(_ bytes: [UInt8]) -> String {
        var hasher = FileHasher()
        bytes.withUnsafeBytes { hasher.update($0) }
        return hasher.finish().text
    }

    @Test func resolveTellsOfTheFile() async throws {
        try await XetWire.with(files) { hub, _ in
            let tree = await hub.anonymous.get(hub.api + "/tree/main")
            #expect(tree.array.allSatisfy { $0["xetHash"] == nil }, "not made for a list")
            let url = hub.endpoint + "/org/repo/resolve/main/large.bin"
            let answer = await hub.anonymous.get(url)
            let hash = Self.fileHash(Self.content)
            #expect(answer.status == 302)
            #expect(answer.headers["x-xet-hash"] == hash)
            let commit = try #require(answer.headers["x-repo-commit"])
            #expect(
                answer.headers["link"]
                    == "<\(hub.api)/xet-read-token/\(commit)>; rel=\"xet-auth\", "
                    + "<\(hub.endpoint)/cas/v1/reconstructions/\(hash)>; "
                    + "rel=\"xet-reconstruction-info\"")
            let known = await hub.anonymous.get(hub.api + "/tree/main")
            #expect(known.array.compactMap { $0["xetHash"] as? String } == [hash])
            let info = await hub.anonymous.post(
                hub.api + "/paths-info/main", json: ["paths": ["large.bin"], "expand": false])
            #expect(info.array.first?["xetHash"] as? String == hash)
            let told = await hub.anonymous.get(
                url, headers: ["Accept": "application/vnd.xet-fileinfo+json"])
            #expect(told.status == 200 && told.object["hash"] as? String == hash)
            let small = await hub.anonymous.get(hub.endpoint + "/org/repo/resolve/main/small.txt")
            #expect(small.headers["x-xet-hash"] == nil && small.headers["link"] == nil)
        }
    }

    @Test func withoutXetNothingIsSaid() async throws {
        try await TestHub.with(["large.bin": Self.content]) { hub in
            let answer = await hub.anonymous.get(
                hub.endpoint + "/org/repo/resolve/main/large.bin")
            #expect(answer.status == 302 && answer.headers["x-xet-hash"] == nil)
            #expect(await hub.writer.get(hub.api + "/xet-read-token/main").status == 404)
            let hash = Self.fileHash(Self.content)
            let plan = await hub.writer.get(hub.endpoint + "/cas/v2/reconstructions/\(hash)")
            #expect(plan.status == 404)
        }
    }

    @Test func everyKindOfRangeComesOutRight() async throws {
        try await XetWire.with(files) { hub, wire in
            let token = try await wire.token()
            let hash = try await wire.hash(of: "large.bin")
            let size = Self.content.count
            let ranges: [Range<Int>?] = [
                nil, 0..<1, 0..<size, size - 1..<size, 70_000..<70_001, 100_000..<300_000,
                200_000..<size + 50,
            ]
            for version in [1, 2] {
                for range in ranges {
                    let bytes = try await wire.read(hash, range, version: version, token)
                    let wanted = Self.content[(range ?? 0..<size).clamped(to: 0..<size)]
                    #expect(
                        isSame(bytes, wanted), "version \(version), \(String(describing: range))")
                }
                let behind = await token.get(
                    wire.plan(hash, version), headers: ["Range": "bytes=\(size)-\(size)"])
                #expect(behind.status == 416)
                let bad = await token.get(wire.plan(hash, version), headers: ["Range": "bytes=5-"])
                #expect(bad.status == 400)
            }
            let sizes = await token.get(wire.plan(hash, 2) + "?chunk_byte_sizes=true")
            let terms = sizes.object["terms"] as? [[String: Any]] ?? []
            let told = terms.flatMap { $0["chunk_byte_sizes"] as? [Int] ?? [] }
            #expect(told.count > 3 && told.reduce(0, +) == size)
            let stats = hub.server.counters.snapshot
            #expect(stats[.xorb].requests > 10 && stats[.xorb].bytesSent > size)
            #expect(stats[.cas].requests == stats.endpoints["cas-reconstruction"])
            #expect(stats[.cdn].requests == 0)
        }
    }

    @Test func heads() async throws {
        try await XetWire.with(files) { hub, wire in
            let token = try await wire.token()
            let hash = try await wire.hash(of: "large.bin")
            let file = await token.send("HEAD", hub.endpoint + "/cas/v1/files/\(hash)")
            #expect(file.headers["content-length"] == String(Self.content.count))
            let plan = await token.get(wire.plan(hash, 2))
            let xorb = try #require((plan.object["xorbs"] as? [String: Any])?.keys.first)
            let place = hub.endpoint + "/cas/v1/xorbs/default/"
            #expect(await token.send("HEAD", place + xorb).status == 200)
            #expect(await token.send("HEAD", place + hash).status == 404)
            let none = hub.endpoint + "/cas/v1/files/" + String(repeating: "1", count: 64)
            #expect(await token.send("HEAD", none).status == 404)
        }
    }

    @Test func tokensAreBoundToTheirRepo() async throws {
        try await XetWire.with(files) { hub, wire in
            let hash = try await wire.hash(of: "large.bin")
            try hub.add("org/other", ["other.bin": Array(Self.content.reversed())])
            let other = hub.endpoint + "/api/models/org/other/xet-read-token/main"
            let foreign = WireClient(
                token: await hub.anonymous.get(other).object["accessToken"] as? String)
            #expect(await foreign.get(wire.plan(hash, 2)).status == 404)
            #expect(await hub.anonymous.get(wire.plan(hash, 2)).status == 401)
            #expect(
                await hub.writer.get(wire.plan(hash, 2)).status == 401, "not a token of the CAS")
            let token = try await wire.token()
            let text = try #require(token.token)
            let forged = WireClient(token: text.dropLast() + (text.hasSuffix("0") ? "1" : "0"))
            #expect(await forged.get(wire.plan(hash, 2)).status == 401)
            let api = hub.api + "/xet-"
            #expect(await hub.writer.get(api + "write-token/main").status == 200)
            #expect(await hub.reader.get(api + "write-token/main").status == 403)
            #expect(await hub.anonymous.get(api + "write-token/main").status == 401)
            #expect(await hub.reader.get(api + "read-token/nowhere").status == 404)
            let opening = api + "write-token/None?create_pr=1"
            #expect(await hub.stranger.get(opening).status == 200)
            let answer = await hub.reader.get(api + "read-token/main")
            #expect(answer.headers["x-xet-access-token"] == answer.object["accessToken"] as? String)
            #expect(answer.headers["x-xet-cas-url"] == hub.endpoint + "/cas")
            #expect(
                answer.headers["x-xet-token-expiration"].flatMap { Int($0) }
                    == answer.object["exp"] as? Int)
            let repo = try #require(try hub.registry.repo(.model, RepoName("org/repo")!))
            try hub.registry.update(repo, isPrivate: true)
            #expect(await hub.anonymous.get(api + "read-token/main").status == 401)
        }
    }

    @Test func tokensEnd() throws {
        let signer = XetTokenSigner(key: "key")
        let token = XetToken(repo: "abc", scope: .read, expires: 1000)
        let text = try signer.seal(token)
        #expect(signer.open(text, now: Date(timeIntervalSince1970: 999)) == token)
        #expect(signer.open(text, now: Date(timeIntervalSince1970: 1000)) == nil)
        #expect(XetTokenSigner(key: "other").open(text, now: .distantPast) == nil)
        for bad in ["", "xet_", "xet_.", "xet_00.00", text + "0"] {
            #expect(signer.open(bad, now: .distantPast) == nil, "\(bad)")
        }
    }

    @Test func urlsGiveNoMoreThanTheirRanges() async throws {
        try await XetWire.with(files) { hub, wire in
            let token = try await wire.token()
            let hash = try await wire.hash(of: "large.bin")
            let fetch = try #require(
                try await wire.fetches(hash, 150_000..<150_001, version: 2, token).first)
            let (url, first, last) = (fetch.url, fetch.bytes.first, fetch.bytes.last)
            func ask(_ range: String?, _ url: String, by client: WireClient) async -> Int {
                await client.get(url, headers: range.map { ["Range": $0] } ?? [:]).status
            }
            let own = "bytes=\(first)-\(last)"
            #expect(await ask(own, url, by: hub.anonymous) == 206)
            #expect(await ask("bytes=\(first + 1)-\(last)", url, by: hub.anonymous) == 206)
            #expect(await ask("bytes=\(first - 1)-\(last)", url, by: hub.anonymous) == 403)
            #expect(await ask("bytes=\(first)-\(last + 1)", url, by: hub.anonymous) == 403)
            #expect(await ask(nil, url, by: hub.anonymous) == 403)
            #expect(await ask(own, url, by: token) == 400, "a URL and a token are one too many")
            let wider = url.replacing("\(first)-\(last)", with: "\(first - 1)-\(last)")
            #expect(wider != url)
            #expect(await ask(own, wider, by: hub.anonymous) == 403)
            let later = url.replacing("Expires=", with: "Expires=1")
            #expect(await ask(own, later, by: hub.anonymous) == 403)
        }
    }

    @Test func severalRangesAtOnce() async throws {
        try await XetWire.with(files) { hub, wire in
            let token = try await wire.token()
            let hash = try await wire.hash(of: "large.bin")
            let fetch = try #require(try await wire.fetches(hash, nil, version: 2, token).first)
            let answer = await hub.anonymous.get(fetch.url, headers: ["Range": "bytes=0-7,20-29"])
            #expect(answer.status == 206)
            let type = try #require(answer.headers["content-type"])
            let boundary = try #require(type.split(separator: "=").last)
            let xorb = try #require(XetHash(text: fetch.xorb))
            let bytes = [UInt8](
                try Data(contentsOf: URL(filePath: hub.server.hub.xet.path(xorb))))
            var expected: [UInt8] = []
            for range in [0..<8, 20..<30] {
                expected += Array("\r\n--\(boundary)\r\n".utf8)
                expected += Array("Content-Type: application/octet-stream\r\n".utf8)
                let place = "\(range.lowerBound)-\(range.upperBound - 1)/\(bytes.count)"
                expected += Array("Content-Range: bytes \(place)\r\n\r\n".utf8) + bytes[range]
            }
            #expect(isSame(answer.body, expected + Array("\r\n--\(boundary)--\r\n".utf8)))
        }
    }

    @Test func faultsStrikeTheCAS() async throws {
        try await XetWire.with(files) { hub, wire in
            let token = try await wire.token()
            let hash = try await wire.hash(of: "large.bin")
            hub.server.faults.add(
                Fault(.status(503, retryAfter: nil, message: nil), traffic: .cas, skip: 1, count: 1)
            )
            #expect(await token.get(wire.plan(hash, 2)).status == 200)
            #expect(await token.get(wire.plan(hash, 2)).status == 503)
            let fetch = try #require(try await wire.fetches(hash, nil, version: 2, token).first)
            let range = ["Range": "bytes=\(fetch.bytes.first)-\(fetch.bytes.last)"]
            hub.server.faults.add(Fault(.expired, endpoint: "xorb", count: 1))
            hub.server.faults.add(Fault(.cut(atByte: 100), traffic: .xorb, count: 1))
            hub.server.faults.add(Fault(.corrupt(atByte: 50, count: 1), traffic: .xorb, skip: 1))
            #expect(await hub.anonymous.get(fetch.url, headers: range).status == 403)
            let cut = await hub.anonymous.get(fetch.url, headers: range)
            #expect(cut.body.count == 100 && cut.ending == .closedEarly)
            let harmed = await hub.anonymous.get(fetch.url, headers: range)
            hub.server.faults.clear()
            let sound = await hub.anonymous.get(fetch.url, headers: range)
            let differences = zip(harmed.body, sound.body).filter { $0 != $1 }.count
            #expect(differences == 1)
        }
    }
}
