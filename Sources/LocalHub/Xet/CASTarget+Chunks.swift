import Foundation
import HTTPTypes
import NIOCore
import XetCodec

/// Deduplication queries.
extension CASTarget {
    /// How long an answer may be used.
    private static let lifetimeSeconds = 14 * 86_400

    /// A xorb that has the chunk, its chunks named so that only who has them knows them.
    func chunk(_ hash: XetHash) async throws -> Answer {
        let bytes = try await blocking {
            guard let xorb = try registry.xorb(ofChunk: hash),
                let index = try store.index(of: xorb)
            else { throw Refusal.entryNotFound(commit: nil) }
            let key = (0..<XetHash.byteCount).map { _ in UInt8.random(in: 0...255) }
                .withUnsafeBytes { XetHash(bytes: $0) }
            var shard = Shard(xorbs: [index.described(as: xorb, key: key)])
            let now = Int(Date().timeIntervalSince1970)
            shard.key = key
            shard.expirySeconds = UInt64(now + Self.lifetimeSeconds)
            return shard.answered(createdSeconds: UInt64(now))
        }
        return Answer(
            .ok, headers: [.contentType: "application/octet-stream"],
            body: .bytes(ByteBuffer(bytes: bytes)))
    }
}

extension XorbIndex {
    /// The xorb as shards describe it.
    ///
    /// - Parameter key: what its chunks are named with; zero for their own names.
    func described(as hash: XetHash, key: XetHash) -> ShardXorb {
        var start: UInt32 = 0
        let described = chunks.enumerated().map { index, chunk in
            defer { start += UInt32(chunk.byteCount) }
            return ShardChunk(
                hash: chunk.hash.keyed(key), start: start, byteCount: UInt32(chunk.byteCount),
                isEligible: XetChunkRule.applies(to: chunk.hash, at: index))
        }
        return ShardXorb(
            hash: hash, chunks: described, byteCount: start,
            packedByteCount: UInt32(packedByteCount))
    }
}
