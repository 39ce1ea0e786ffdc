import Foundation
import Testing
import XetCodec

@testable import LocalHub

/// The CAS on the wire: tokens, reconstructions, parts of xorbs.
struct XetReadingTests {
    private static let content = XetWire.noise(400_000)

    private static func with(
        tokenLifetime: Int = 900, _ body: (TestHub, XetWire) async throws -> Void
    ) async throws {
        var options = LocalHubServer.Options()
        options.xet = XetOptions(tokenLifetimeSeconds: tokenLifetime)
        try await TestHub.with(["large.bin": content, "small.txt": [0x61]], options: options) {
            try await body($0, XetWire(hub: $0))
        }
    }

    private static func fileHash(_ bytes: [UInt8]) -> String {
        var hasher = FileHasher()
        bytes.withUnsafeBytes { hasher.update($0) }
        return hasher.finish().text
    }

    @Test func resolveTellsOfTheFile() async throws {
        try await Self.with { hub, _ in
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
        try await Self.with { hub, wire in
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
        try await Self.with { hub, wire in
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
        try await Self.with { hub, wire in
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
        try await Self.with { hub, wire in
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
        try await Self.with { hub, wire in
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
        try await Self.with { hub, wire in
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

/// The CAS as a client uses it, with another decoder than the server's encoder.
struct XetWire: Sendable {
    let hub: TestHub

    struct Fetch: Sendable {
        let xorb: String
        let chunks: Range<Int>
        let bytes: ByteRange
        let url: String
    }

    struct Missing: Error {
        let text: String
    }

    /// Bytes that do not compress and of which no two chunks are alike, the same each time.
    static func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
    }

    /// A client with a token for `org/repo`.
    func token(_ scope: String = "read") async throws -> WireClient {
        let answer = await hub.writer.get(hub.api + "/xet-\(scope)-token/main")
        guard let token = answer.object["accessToken"] as? String else {
            throw Missing(text: answer.text)
        }
        return WireClient(token: token)
    }

    func hash(of path: String) async throws -> String {
        let answer = await hub.writer.get(hub.endpoint + "/org/repo/resolve/main/" + path)
        guard let hash = answer.headers["x-xet-hash"] else { throw Missing(text: answer.text) }
        return hash
    }

    func plan(_ hash: String, _ version: Int) -> String {
        hub.endpoint + "/cas/v\(version)/reconstructions/\(hash)"
    }

    private func ask(
        _ hash: String, _ range: Range<Int>?, _ version: Int, _ token: WireClient
    ) async throws -> [String: Any] {
        let header = range.map { ["Range": "bytes=\($0.lowerBound)-\($0.upperBound - 1)"] } ?? [:]
        let answer = await token.get(plan(hash, version), headers: header)
        guard answer.status == 200 else { throw Missing(text: answer.text) }
        return answer.object
    }

    func fetches(
        _ hash: String, _ range: Range<Int>?, version: Int, _ token: WireClient
    ) async throws -> [Fetch] {
        try fetches(in: try await ask(hash, range, version, token), version)
    }

    private func fetches(in plan: [String: Any], _ version: Int) throws -> [Fetch] {
        let key = version == 1 ? "fetch_info" : "xorbs"
        guard let xorbs = plan[key] as? [String: [[String: Any]]] else { throw Missing(text: key) }
        return try xorbs.flatMap { xorb, entries in
            try entries.flatMap { entry -> [Fetch] in
                let parts = version == 1 ? [entry] : entry["ranges"] as? [[String: Any]] ?? []
                return try parts.map { part in
                    let chunks = part[version == 1 ? "range" : "chunks"] as? [String: Int] ?? [:]
                    let bytes = part[version == 1 ? "url_range" : "bytes"] as? [String: Int] ?? [:]
                    guard let url = entry["url"] as? String, let start = chunks["start"],
                        let end = chunks["end"], let first = bytes["start"], let last = bytes["end"]
                    else { throw Missing(text: "\(part)") }
                    return Fetch(
                        xorb: xorb, chunks: start..<end, bytes: ByteRange(first: first, last: last),
                        url: url)
                }
            }
        }
    }

    /// Bytes of a file by all the steps a client takes.
    func read(
        _ hash: String, _ range: Range<Int>?, version: Int, _ token: WireClient
    ) async throws -> [UInt8] {
        let plan = try await ask(hash, range, version, token)
        let fetches = try fetches(in: plan, version)
        var bytes: [UInt8] = []
        for term in plan["terms"] as? [[String: Any]] ?? [] {
            let chunks = term["range"] as? [String: Int] ?? [:]
            guard let start = chunks["start"], let end = chunks["end"],
                let fetch = fetches.first(where: {
                    $0.xorb == term["hash"] as? String && $0.chunks.contains(start)
                        && end <= $0.chunks.upperBound
                })
            else { throw Missing(text: "a range for \(term)") }
            let answer = await hub.anonymous.get(
                fetch.url, headers: ["Range": ByteRange.text([fetch.bytes])])
            guard answer.status == 206 else { throw Missing(text: answer.text) }
            let unpacked = try Self.unpack(answer.body)
            guard unpacked.count == fetch.chunks.count else { throw Missing(text: "chunks") }
            let own = unpacked[start - fetch.chunks.lowerBound..<end - fetch.chunks.lowerBound]
            guard own.joined().count == term["unpacked_length"] as? Int else {
                throw Missing(text: "the length of \(term)")
            }
            bytes += own.joined()
        }
        let offset = plan["offset_into_first_range"] as? Int ?? 0
        return Array(bytes.dropFirst(offset).prefix(range?.count ?? .max))
    }

    private static func unpack(_ bytes: [UInt8]) throws -> [[UInt8]] {
        try bytes.withUnsafeBytes { raw in
            var reader = XorbReader(raw)
            var chunks: [[UInt8]] = []
            while let chunk = try reader.next() {
                var buffer = [UInt8](repeating: 0, count: chunk.byteCount)
                try buffer.withUnsafeMutableBytes { try reader.unpack(chunk, into: $0) }
                chunks.append(buffer)
            }
            return chunks
        }
    }
}
