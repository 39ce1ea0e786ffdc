import Crypto
import Foundation
import XetCodec

@testable import LocalHub

/// What a client makes of a file before it uploads it: one xorb, and the file's part of a shard.
struct XetUpload: Sendable {
    let content: [UInt8]
    let xorb: [UInt8]
    let xorbHash: XetHash
    let chunks: [MerkleNode]
    var file: ShardFile

    init(_ content: [UInt8]) {
        var writer = XorbWriter()
        content.withUnsafeBytes { bytes in
            var chunker = Chunker()
            var rest = bytes
            while !rest.isEmpty {
                let count = chunker.findEnd(in: rest) ?? rest.count
                let chunk = UnsafeRawBufferPointer(rebasing: rest[..<count])
                _ = writer.append(chunk, hash: XetHash(ofChunk: chunk))
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
        self.content = content
        xorb = writer.bytes
        xorbHash = writer.hash
        chunks = writer.chunks
        let term = XetTerm(
            xorb: writer.hash, byteCount: UInt32(content.count),
            chunks: 0..<UInt32(writer.chunks.count))
        file = ShardFile(
            hash: XetHash(ofFileWithRoot: MerkleTree.root(writer.chunks)), terms: [term],
            proofs: [XetHash(ofRange: writer.chunks.map(\.hash))],
            sha256: Array(SHA256.hash(data: content)))
    }

    var oid: String { TestHub.sha256(content) }

    /// The xorb as shards describe it.
    var described: ShardXorb {
        var start: UInt32 = 0
        let described = chunks.map { chunk in
            defer { start += UInt32(chunk.byteCount) }
            return ShardChunk(hash: chunk.hash, start: start, byteCount: UInt32(chunk.byteCount))
        }
        return ShardXorb(hash: xorbHash, chunks: described, byteCount: start)
    }

    var shard: Shard { Shard(files: [file], xorbs: [described]) }

    var checksum: UInt64 { Self.checksum(xorb) }

    static func checksum(_ bytes: [UInt8]) -> UInt64 {
        var checksum = CRC64()
        bytes.withUnsafeBytes { checksum.update($0) }
        return checksum.value
    }
}

extension XetWire {
    /// Runs a test against a Hub that offers Xet and whose repo `org/repo` has the files.
    static func with(
        _ files: [String: [UInt8]] = [:], _ body: (TestHub, XetWire) async throws -> Void
    ) async throws {
        var options = LocalHubServer.Options()
        options.xet = XetOptions()
        try await TestHub.with(files, options: options) { try await body($0, XetWire(hub: $0)) }
    }

    private var cas: String { hub.endpoint + "/cas/v1/" }

    func post(xorb: [UInt8], as hash: XetHash, by token: WireClient) async -> WireAnswer {
        await token.send("POST", cas + "xorbs/default/\(hash)", body: xorb)
    }

    func post(shard: Shard, version: Int = 1, by token: WireClient) async -> WireAnswer {
        await token.send("POST", hub.endpoint + "/cas/v\(version)/shards", body: shard.uploaded)
    }

    func grant(
        _ hash: XetHash, length: Int, checksum: String, algo: String = "crc64nvme",
        by token: WireClient
    ) async -> WireAnswer {
        await token.post(
            cas + "xorb-grants/default/\(hash)",
            json: ["length": length, "checksum": ["algo": algo, "value": checksum]] as [String: Any]
        )
    }

    func commit(_ hash: XetHash, grant: String, by token: WireClient) async -> WireAnswer {
        await token.send("POST", cas + "xorb-commits/default/\(hash)/grant/\(grant)")
    }

    func chunk(_ hash: XetHash, by token: WireClient) async -> WireAnswer {
        await token.get(cas + "chunks/default/\(hash)")
    }

    /// Everything up to the commit, which a test may want to see fail.
    func upload(_ upload: XetUpload, by token: WireClient) async throws {
        let stored = await post(xorb: upload.xorb, as: upload.xorbHash, by: token)
        let known = await post(shard: upload.shard, by: token)
        guard stored.status == 200, known.status == 200 else {
            throw Missing(text: stored.text + known.text)
        }
    }
}
