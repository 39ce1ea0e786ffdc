import Foundation
import Testing
import XetCodec

@testable import LocalHub

/// Uploads to the CAS, sound ones and others.
struct XetWritingTests {
    private static let upload = XetUpload(XetWire.noise(400_000, seed: 5))

    // MARK: Xorbs

    @Test func xorbsAreWhatTheyAreCalled() async throws {
        let upload = Self.upload
        try await XetWire.with { hub, wire in
            let token = try await wire.token("write")
            let reader = try await wire.token("read")
            #expect(
                await wire.post(xorb: upload.xorb, as: upload.xorbHash, by: reader).status == 403)
            let other = await wire.post(xorb: upload.xorb, as: upload.file.hash, by: token)
            #expect(other.status == 400)
            var harmed = upload.xorb
            harmed[5000] ^= 1
            #expect(await wire.post(xorb: harmed, as: upload.xorbHash, by: token).status == 400)
            let cut = Array(upload.xorb.dropLast())
            #expect(await wire.post(xorb: cut, as: upload.xorbHash, by: token).status == 400)
            #expect(await wire.post(xorb: [], as: .zero, by: token).status == 400)
            let head = hub.endpoint + "/cas/v1/xorbs/default/\(upload.xorbHash)"
            #expect(await token.send("HEAD", head).status == 404)

            let new = await wire.post(
                xorb: upload.xorb + Array("XETBLOB and what follows".utf8), as: upload.xorbHash,
                by: token)
            #expect(new.status == 200 && new.object["was_inserted"] as? Bool == true)
            let length = await token.send("HEAD", head).headers["content-length"]
            #expect(length == String(upload.xorb.count), "the footer is not kept")
            let again = await wire.post(xorb: upload.xorb, as: upload.xorbHash, by: token)
            #expect(again.object["was_inserted"] as? Bool == false)
            let left = try FileManager.default.contentsOfDirectory(atPath: hub.root + "/incoming")
            #expect(left.isEmpty)
        }
    }

    // MARK: Grants

    @Test func grantsAreForOneXorb() async throws {
        let upload = Self.upload
        let size = upload.xorb.count
        try await XetWire.with { hub, wire in
            let token = try await wire.token("write")
            func ask(_ length: Int, _ checksum: String, _ algo: String = "crc64nvme") async -> Int {
                await wire.grant(
                    upload.xorbHash, length: length, checksum: checksum, algo: algo, by: token
                ).status
            }
            #expect(await ask(size, "x") == 400)
            #expect(await ask(size, "1", "md5") == 400)
            #expect(await ask(0, "1") == 400)
            #expect(await ask(XorbIndex.byteCountMax + 1, "1") == 400)

            let granted = await wire.grant(
                upload.xorbHash, length: size, checksum: String(upload.checksum), by: token)
            #expect(granted.status == 201 && granted.object["method"] as? String == "PUT")
            let url = try #require(granted.object["url"] as? String)
            let id = try #require(granted.object["id"] as? String)
            let headers = try #require(granted.object["headers"] as? [String: String])
            #expect(url.hasPrefix(hub.server.cdnEndpoint))
            let early = await wire.commit(upload.xorbHash, grant: id, by: token)
            #expect(early.status == 404)

            func put(_ body: [UInt8], _ headers: [String: String], _ url: String) async -> Int {
                await hub.anonymous.send("PUT", url, headers: headers, body: body).status
            }
            var harmed = upload.xorb
            harmed[9] ^= 1
            #expect(await put(harmed, headers, url) == 400, "the checksum")
            #expect(await put(Array(upload.xorb.dropLast()), headers, url) == 400, "the length")
            #expect(await put(upload.xorb, [:], url) == 403, "headers are signed")
            let withToken = headers.merging(["Authorization": "Bearer x"]) { $1 }
            #expect(await put(upload.xorb, withToken, url) == 400)
            let wider = url.replacing("length=\(size)", with: "length=\(size + 1)")
            #expect(await put(upload.xorb + [0], headers, wider) == 403)
            #expect(await put(upload.xorb, headers, url) == 200)
            #expect(await put(upload.xorb, headers, url) == 412)
            let done = await wire.commit(upload.xorbHash, grant: id, by: token)
            #expect(done.status == 200 && done.object["was_inserted"] as? Bool == true)
            let known = await wire.commit(upload.xorbHash, grant: id, by: token)
            #expect(known.object["was_inserted"] as? Bool == false)
            #expect(await ask(size, String(upload.checksum)) == 200, "there is nothing to do")
        }
    }

    @Test func whatCameByAGrantIsLookedAt() async throws {
        let upload = Self.upload
        var harmed = upload.xorb
        harmed[5000] ^= 1
        let body = harmed
        try await XetWire.with { hub, wire in
            let token = try await wire.token("write")
            let granted = await wire.grant(
                upload.xorbHash, length: body.count,
                checksum: String(XetUpload.checksum(body)), by: token)
            let url = try #require(granted.object["url"] as? String)
            let id = try #require(granted.object["id"] as? String)
            let headers = try #require(granted.object["headers"] as? [String: String])
            let put = await hub.anonymous.send("PUT", url, headers: headers, body: body)
            #expect(put.status == 200)
            #expect(await wire.commit(upload.xorbHash, grant: id, by: token).status == 400)
            #expect(await wire.commit(upload.xorbHash, grant: id, by: token).status == 404)
        }
    }

    // MARK: Shards

    /// Each is wrong in one way.
    private static func wrongShards() -> [String: Shard] {
        let upload = upload
        let (file, term) = (upload.file, upload.file.terms[0])
        func with(
            hash: XetHash? = nil, _ terms: [XetTerm]? = nil, proofs: [XetHash]? = nil,
            sha256: [UInt8]? = upload.file.sha256
        ) -> Shard {
            var shard = upload.shard
            shard.files = [
                ShardFile(
                    hash: hash ?? file.hash, terms: terms ?? file.terms,
                    proofs: proofs ?? file.proofs, sha256: sha256)
            ]
            return shard
        }
        func other(_ byteCount: UInt32, _ chunks: Range<UInt32>, _ xorb: XetHash) -> [XetTerm] {
            [XetTerm(xorb: xorb, byteCount: byteCount, chunks: chunks)]
        }
        let count = term.chunks.upperBound
        var xorb = upload.shard
        let chunks = upload.described.chunks
        xorb.xorbs = [
            ShardXorb(
                hash: upload.xorbHash, chunks: chunks.reversed(), byteCount: term.byteCount)
        ]
        var missing = upload.shard
        missing.xorbs = [ShardXorb(hash: file.hash, chunks: chunks, byteCount: term.byteCount)]
        return [
            "another file's hash": with(hash: term.xorb),
            "a wrong proof": with(proofs: [file.hash]),
            "no proofs": with(proofs: []),
            "no SHA-256": with(sha256: nil),
            "another SHA-256": with(sha256: [UInt8](repeating: 7, count: 32)),
            "no terms": with([], proofs: []),
            "a term of another length": with(other(term.byteCount - 1, term.chunks, term.xorb)),
            "chunks that are not there": with(other(term.byteCount, 0..<count + 1, term.xorb)),
            "a xorb nobody uploaded": with(other(term.byteCount, term.chunks, file.hash)),
            "a part of the file": with(
                other(UInt32(upload.chunks[0].byteCount), 0..<1, term.xorb),
                proofs: [XetHash(ofRange: [upload.chunks[0].hash])]),
            "a xorb with other chunks": xorb,
            "a described xorb nobody uploaded": missing,
        ]
    }

    @Test func shardsAreVerified() async throws {
        let upload = Self.upload
        try await XetWire.with { hub, wire in
            let token = try await wire.token("write")
            let early = await wire.post(shard: upload.shard, by: token)
            #expect(early.status == 400, "its xorb is not here")
            _ = await wire.post(xorb: upload.xorb, as: upload.xorbHash, by: token)
            for (name, shard) in Self.wrongShards() {
                #expect(await wire.post(shard: shard, by: token).status == 400, "\(name)")
                let events = await wire.post(shard: shard, version: 2, by: token)
                let last = events.text.split(separator: "\n").last.map(String.init) ?? ""
                #expect(events.status == 200 && last.contains(#""type":"error""#), "\(name)")
                #expect(last.contains(#""retryable":false"#), "\(name)")
            }
            let noise = await token.send(
                "POST", hub.endpoint + "/cas/v2/shards", body: [UInt8](repeating: 3, count: 100))
            #expect(noise.status == 400)
            let reader = try await wire.token("read")
            #expect(await wire.post(shard: upload.shard, by: reader).status == 403)
            #expect(await reader.get(wire.plan(upload.file.hash.text, 2)).status == 404)

            let file = TestHub.lfsFile("large.bin", upload.content)
            #expect(await hub.commit([file]).status == 400, "an object nobody uploaded")
            #expect(await wire.post(shard: upload.shard, by: token).object["result"] as? Int == 1)
            let again = await wire.post(shard: upload.shard, version: 2, by: token)
            let types = again.text.split(separator: "\n").compactMap { line in
                let event = try? JSONSerialization.jsonObject(with: Data(line.utf8))
                return (event as? [String: Any])?["type"] as? String
            }
            #expect(
                types == ["validating", "validating", "committing", "committing", "result"])
            #expect(await hub.commit([file]).status == 200)
            let hash = try await wire.hash(of: "large.bin")
            #expect(hash == upload.file.hash.text)
            #expect(isSame(try await wire.read(hash, nil, version: 2, reader), upload.content))
        }
    }

    // MARK: What becomes of it

    @Test func everyRangeWithoutXet() async throws {
        let upload = Self.upload
        try await XetWire.with { hub, wire in
            try await wire.upload(upload, by: try await wire.token("write"))
            #expect(await hub.commit([TestHub.lfsFile("large.bin", upload.content)]).status == 200)
            let url = hub.endpoint + "/org/repo/resolve/main/large.bin"
            let size = upload.content.count
            let place = try #require(await hub.anonymous.get(url).headers["location"])
            #expect(isSame(await hub.anonymous.get(place).body, upload.content))
            for range in [0..<1, 65_000..<66_000, 100_000..<350_000, size - 1..<size] {
                let header = "bytes=\(range.lowerBound)-\(range.upperBound - 1)"
                let part = await hub.anonymous.get(place, headers: ["Range": header])
                #expect(part.status == 206 && isSame(part.body, upload.content[range]), "\(header)")
            }
            let head = await hub.anonymous.send("HEAD", place)
            #expect(head.headers["content-length"] == String(size))
            let batch = await hub.anonymous.post(
                hub.endpoint + "/org/repo.git/info/lfs/objects/batch",
                json: [
                    "operation": "download", "objects": [["oid": upload.oid, "size": size]],
                ] as [String: Any])
            let actions = (batch.object["objects"] as? [[String: Any]])?.first?["actions"]
            let action = (actions as? [String: [String: Any]])?["download"]
            let href = try #require(action?["href"] as? String)
            #expect(isSame(await hub.anonymous.get(href).body, upload.content))
        }
    }

    /// Another server that hands out LFS objects has no file for what came by Xet.
    @Test func anotherOriginIsPassedBy() async throws {
        let upload = Self.upload
        var options = LocalHubServer.Options()
        options.xet = XetOptions()
        options.downloadOrigin = "http://elsewhere.example"
        try await TestHub.with(["lfs.bin": TestHub.binary(100)], options: options) { hub in
            let wire = XetWire(hub: hub)
            try await wire.upload(upload, by: try await wire.token("write"))
            #expect(await hub.commit([TestHub.lfsFile("xet.bin", upload.content)]).status == 200)
            func location(_ path: String) async -> String {
                let url = hub.endpoint + "/org/repo/resolve/main/" + path
                return await hub.anonymous.get(url).headers["location"] ?? ""
            }
            #expect(await location("lfs.bin").hasPrefix("http://elsewhere.example/"))
            let own = await location("xet.bin")
            #expect(own.hasPrefix(hub.server.cdnEndpoint))
            #expect(isSame(await hub.anonymous.get(own).body, upload.content))
        }
    }

    @Test func aRepoHasWhatIsItsOwn() async throws {
        let upload = Self.upload
        try await XetWire.with { hub, wire in
            try await wire.upload(upload, by: try await wire.token("write"))
            let other = try hub.add("org/other", [:])
            let api = hub.endpoint + "/api/models/org/other"
            let answer = await hub.writer.get(api + "/xet-write-token/main")
            let token = WireClient(token: answer.object["accessToken"] as? String)
            let plan = wire.plan(upload.file.hash.text, 2)
            #expect(await token.get(plan).status == 404)
            let file = TestHub.lfsFile("large.bin", upload.content)
            func commit() async -> Int {
                await hub.writer.send(
                    "POST", api + "/commit/main",
                    headers: ["Content-Type": "application/x-ndjson"],
                    body: TestHub.ndjson([file])
                ).status
            }
            #expect(await commit() == 400)
            let shared = await hub.writer.post(
                hub.api + "/lfs-files/duplicate",
                json: [
                    "target": ["type": "model", "name": "org/other"],
                    "files": [
                        ["sha256": upload.oid], ["sha256": String(repeating: "0", count: 64)],
                    ],
                ] as [String: Any])
            #expect((shared.object["failed"] as? [Any])?.count == 1)
            #expect(await commit() == 200)
            #expect(await token.get(plan).status == 200)

            let listed = await hub.writer.get(api + "/lfs-files")
            #expect(listed.array.map { $0["oid"] as? String } == [upload.oid])
            let deleted = await hub.writer.send("DELETE", api + "/lfs-files/\(upload.oid)")
            #expect(deleted.status == 200)
            #expect(await token.get(plan).status == 404)
            try hub.server.hub.deleteRepo(other)
            #expect(await token.get(plan).status == 401, "a token of a repo that is gone")
        }
    }

    @Test func queriesFindChunksByTheirKeyedNames() async throws {
        let upload = Self.upload
        try await XetWire.with { hub, wire in
            let token = try await wire.token("write")
            let first = upload.chunks[0].hash
            #expect(await wire.chunk(first, by: token).status == 404)
            try await wire.upload(upload, by: token)
            let answer = await wire.chunk(first, by: token)
            #expect(answer.status == 200)
            let shard = try answer.body.withUnsafeBytes { try Shard(reading: $0) }
            let xorb = try #require(shard.xorbs.first)
            #expect(shard.key != .zero && shard.files.isEmpty && xorb.hash == upload.xorbHash)
            #expect(xorb.chunks.map(\.hash) == upload.chunks.map { $0.hash.keyed(shard.key) })
            #expect(xorb.chunks.map(\.byteCount) == upload.described.chunks.map(\.byteCount))
            let now = UInt64(Date().timeIntervalSince1970)
            #expect(try #require(shard.expirySeconds) > now)
            // The others are found with it and not by themselves.
            #expect(await wire.chunk(upload.chunks[1].hash, by: token).status == 404)
        }
    }
}
