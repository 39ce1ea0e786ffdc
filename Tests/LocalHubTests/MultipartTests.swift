import Foundation
import Testing

@testable import LocalHub

/// What the official client never does wrong.
@Suite struct MultipartTests {
    private static let partSize = 1000

    private static var options: LocalHubServer.Options {
        var options = LocalHubServer.Options()
        options.parts = PartRule(threshold: 1500, partSize: partSize)
        return options
    }

    /// What the batch answered for one object.
    private struct Offer {
        let complete: String
        /// By number; the first has index 0.
        let parts: [String]

        init(_ hub: TestHub, _ content: [UInt8]) async throws {
            let object: [String: Any] = ["oid": TestHub.sha256(content), "size": content.count]
            let answer = await hub.writer.post(
                hub.endpoint + "/org/repo.git/info/lfs/objects/batch",
                json: [
                    "operation": "upload", "transfers": ["basic", "multipart"],
                    "objects": [object],
                ] as [String: Any])
            #expect(answer.object["transfer"] as? String == "multipart")
            let item = try #require((answer.object["objects"] as? [[String: Any]])?.first)
            let actions = try #require(item["actions"] as? [String: [String: Any]])
            let upload = try #require(actions["upload"])
            var header = try #require(upload["header"] as? [String: String])
            #expect(header.removeValue(forKey: "chunk_size") == String(MultipartTests.partSize))
            complete = try #require(upload["href"] as? String)
            parts = header.sorted { $0.key < $1.key }.map(\.value)
        }
    }

    private func part(_ number: Int, of content: [UInt8]) -> [UInt8] {
        Array(content.dropFirst((number - 1) * Self.partSize).prefix(Self.partSize))
    }

    /// Sends all parts; returns their tags as they came.
    private func sendAll(_ content: [UInt8], to offer: Offer, _ hub: TestHub) async -> [String] {
        var tags: [String] = []
        for number in 1...offer.parts.count {
            let answer = await hub.anonymous.send(
                "PUT", offer.parts[number - 1], body: part(number, of: content))
            #expect(answer.status == 200)
            tags.append(answer.headers["etag"] ?? "")
        }
        return tags
    }

    private func complete(
        _ offer: Offer, _ content: [UInt8], _ tags: [(number: Int, etag: String)], _ hub: TestHub
    ) async -> WireAnswer {
        let parts = tags.map { ["partNumber": $0.number, "etag": $0.etag] as [String: Any] }
        return await hub.anonymous.post(
            offer.complete,
            json: ["oid": TestHub.sha256(content), "parts": parts] as [String: Any])
    }

    private func numbered(_ tags: [String]) -> [(number: Int, etag: String)] {
        tags.enumerated().map { ($0.offset + 1, $0.element) }
    }

    private func isStored(_ content: [UInt8], _ hub: TestHub) throws -> Bool {
        let name = try #require(RepoName("org/repo"))
        let repo = try #require(try hub.registry.repo(.model, name))
        return hub.server.hub.lfs(repo).size(TestHub.sha256(content)) == content.count
    }

    @Test func everySizeAroundThePartsBounds() async throws {
        try await TestHub.with(options: Self.options) { hub in
            for size in [1501, 1999, 2000, 2001, 2999, 3000, 3001] {
                let content = TestHub.binary(size)
                let offer = try await Offer(hub, content)
                #expect(offer.parts.count == (size + 999) / 1000)
                let tags = await sendAll(content, to: offer, hub)
                let answer = await complete(offer, content, numbered(tags), hub)
                #expect(answer.status == 200, "\(size) bytes")
                #expect(try isStored(content, hub), "\(size) bytes")
            }
        }
    }

    @Test func listsThatAreNotTheUploadedPartsAreRefused() async throws {
        let content = TestHub.binary(2500)
        try await TestHub.with(options: Self.options) { hub in
            let offer = try await Offer(hub, content)
            let none = await complete(offer, content, [], hub)
            #expect(none.status == 400)
            let tags = numbered(await sendAll(content, to: offer, hub))
            let bare = tags.map { ($0.number, $0.etag.replacing("\"", with: "")) }
            let wrong: [(String, [(number: Int, etag: String)])] = [
                ("one missing", Array(tags.dropLast())), ("one twice", tags + [tags[2]]),
                ("out of order", tags.reversed()), ("tags without quotes", bare),
                ("a tag of another part", [tags[0], tags[1], (3, tags[0].etag)]),
                ("a tag that is a path", [tags[0], tags[1], (3, "\"../../../about.json\"")]),
                ("numbers from 0", tags.map { ($0.number - 1, $0.etag) }),
            ]
            for (name, list) in wrong {
                let answer = await complete(offer, content, list, hub)
                #expect(answer.status == 400, "\(name)")
                #expect(try !isStored(content, hub), "\(name)")
            }
            let other = await complete(offer, TestHub.binary(2501), tags, hub)
            #expect(other.status == 400, "of another object")
            #expect(await complete(offer, content, tags, hub).status == 200)
            #expect(try isStored(content, hub))
        }
    }

    /// What counts is what was sent last, and only the whole of it.
    @Test func aPartMayBeSentAgain() async throws {
        let content = TestHub.binary(2500)
        try await TestHub.with(options: Self.options) { hub in
            let offer = try await Offer(hub, content)
            var wrong = content
            wrong[1700] ^= 1
            let first = await sendAll(wrong, to: offer, hub)
            #expect(await complete(offer, content, numbered(first), hub).status == 400)
            _ = await hub.anonymous.send(
                "PUT", offer.parts[1], body: part(2, of: content), sendOnly: 500)
            let second = await hub.anonymous.send(
                "PUT", offer.parts[1], body: part(2, of: content))
            let stale = await complete(offer, content, numbered(first), hub)
            #expect(stale.status == 400, "the tag is that of the first sending")
            let tags = [first[0], second.headers["etag"] ?? "", first[2]]
            #expect(await complete(offer, content, numbered(tags), hub).status == 200)
            #expect(try isStored(content, hub))
        }
    }

    @Test func partsOfOtherSizesAndForgedURLsAreRefused() async throws {
        let content = TestHub.binary(2500)
        try await TestHub.with(options: Self.options) { hub in
            let offer = try await Offer(hub, content)
            func put(_ url: String, _ body: [UInt8]) async -> Int {
                await hub.anonymous.send("PUT", url, body: body).status
            }
            #expect(await put(offer.parts[0], part(3, of: content)) == 400)
            #expect(await put(offer.parts[2], part(1, of: content)) == 400)
            #expect(await put(offer.parts[0] + "0", part(1, of: content)) == 403)
            let swapped = offer.parts[0].replacing("/1?", with: "/2?")
            #expect(await put(swapped, part(2, of: content)) == 403)
            let chunked = await hub.anonymous.send(
                "PUT", offer.parts[0], headers: ["Transfer-Encoding": "chunked"])
            #expect(chunked.status == 411)
            let unsigned = hub.endpoint + "/api/complete_multipart?uploadId=x"
            #expect(await hub.writer.post(unsigned, json: ["oid": "", "parts": []]).status == 403)
        }
    }

    /// The answer may be lost; asked again, the end is the same. A part that comes late is refused.
    @Test func completingTwiceSucceedsAndNoPartComesAfter() async throws {
        let content = TestHub.binary(2500)
        try await TestHub.with(options: Self.options) { hub in
            let offer = try await Offer(hub, content)
            let tags = numbered(await sendAll(content, to: offer, hub))
            for _ in 0..<2 { #expect(await complete(offer, content, tags, hub).status == 200) }
            let late = await hub.anonymous.send("PUT", offer.parts[0], body: part(1, of: content))
            #expect(late.status == 404)
            #expect(try isStored(content, hub))
        }
    }

    /// A connection that still sends when the object is stored must not reach it any more.
    @Test func noPartIsWrittenIntoAStoredObject() async throws {
        let content = TestHub.binary(2500)
        try await TestHub.with(options: Self.options) { hub in
            let name = try #require(RepoName("org/repo"))
            let repo = try #require(try hub.registry.repo(.model, name))
            let objects = hub.server.hub.lfs(repo)
            let uploads = MultipartStore(incoming: hub.server.hub.folder.incoming)
            let id = try uploads.begin(
                .init(
                    repo: repo.id, oid: TestHub.sha256(content), size: content.count,
                    partSize: Self.partSize, expires: Int(Date().timeIntervalSince1970) + 600))
            let upload = try #require(uploads.upload(id))
            let straggler = try upload.receive(part: 1, at: 0)
            try Array(repeating: UInt8(0), count: 10).withUnsafeBytes { try straggler.append($0) }
            var parts: [(number: Int, etag: String)] = []
            for number in 1...3 {
                let intake = try upload.receive(part: number, at: (number - 1) * Self.partSize)
                try part(number, of: content).withUnsafeBytes { try intake.append($0) }
                parts.append((number, try intake.finish()))
            }
            try upload.finish(parts, into: objects)
            #expect(throws: MultipartUpload.Failure.gone) {
                try [UInt8](repeating: 0, count: 10).withUnsafeBytes { try straggler.append($0) }
            }
            #expect(throws: MultipartUpload.Failure.gone) { try straggler.finish() }
            let stored = try Data(
                contentsOf: URL(filePath: objects.path(TestHub.sha256(content))))
            #expect(isSame(stored, content))
        }
    }

    @Test func anUploadGoesOnAfterARestart() async throws {
        let content = TestHub.binary(2500)
        try await TestHub.with(options: Self.options) { hub in
            let offer = try await Offer(hub, content)
            let first = await hub.anonymous.send(
                "PUT", offer.parts[0], body: part(1, of: content))
            var options = Self.options
            options.port = try #require(URL(string: hub.endpoint)?.port)
            options.cdnPort = try #require(URL(string: hub.server.cdnEndpoint)?.port)
            await hub.server.stop()
            let again = try await LocalHubServer.start(root: hub.root, options: options)
            var tags = [first.headers["etag"] ?? ""]
            for number in 2...3 {
                let answer = await hub.anonymous.send(
                    "PUT", offer.parts[number - 1], body: part(number, of: content))
                tags.append(answer.headers["etag"] ?? "")
            }
            #expect(await complete(offer, content, numbered(tags), hub).status == 200)
            #expect(try isStored(content, hub))
            await again.stop()
        }
    }

    @Test func uploadsWhoseTimeIsOverAreRemoved() async throws {
        try await TestHub.with(options: Self.options) { hub in
            let store = MultipartStore(incoming: hub.server.hub.folder.incoming)
            func begin(_ seconds: Int) throws -> String {
                let now = Int(Date().timeIntervalSince1970)
                return try store.begin(
                    .init(
                        repo: "r", oid: String(repeating: "a", count: 64), size: 2, partSize: 1,
                        expires: now + seconds))
            }
            let expired = try begin(-1)
            let open = try begin(600)
            #expect(store.upload(expired) == nil)
            #expect(store.upload(open) != nil)
            try hub.server.hub.folder.removeLeftovers()
            let left = try FileManager.default.contentsOfDirectory(
                atPath: hub.server.hub.folder.incoming)
            #expect(left == [MultipartStore.prefix + open])
        }
    }

    @Test func largeObjectsHaveNoMorePartsThanAllowed() {
        let rule = PartRule()
        for size in [1, 20_000_000, 200_000_000_000, PartRule.sizeMax] {
            let partSize = rule.partSize(of: size)
            #expect((size + partSize - 1) / partSize <= PartRule.countMax)
            #expect(partSize >= rule.partSize)
        }
        #expect(!rule.applies(to: rule.threshold))
        #expect(rule.applies(to: rule.threshold + 1))
    }
}
