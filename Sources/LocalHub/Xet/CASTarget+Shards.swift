import Foundation
import HTTPTypes
import NIOCore
import XetCodec

/// Shards that come in: from then on the repo has their files.
extension CASTarget {
    private static let shardBytesMax = 64 << 20

    private struct ResultBody: Encodable {
        let result: Int
    }

    func uploadShard(version: Int) async throws -> Answer {
        let body = try await request.collect(max: Self.shardBytesMax)
        let shard: Shard
        do {
            shard = try body.withUnsafeBytes { try Shard(reading: $0) }
        } catch {
            throw Refusal.badRequest("This is no shard: \(error)")
        }
        do {
            let isNew = try await blocking { try register(shard) }
            guard version == 2 else { return try .json(ResultBody(result: isNew ? 1 : 0)) }
            return try progress(of: shard, end: ShardEvent(type: "result", result: isNew ? 1 : 0))
        } catch let failure as ShardCheck.Failure {
            guard version == 2 else { throw Refusal.badRequest("\(failure)") }
            // As a server must that has begun to answer.
            return try progress(
                of: shard, end: ShardEvent(type: "error", message: "\(failure)", retryable: false))
        }
    }

    private func register(_ shard: Shard) throws -> Bool {
        let check = ShardCheck(store: store)
        for xorb in shard.xorbs { try check.xorb(xorb) }
        let files = try shard.files.map { try check.file($0) }
        return try registry.register(files, in: repo)
    }

    // MARK: Version 2

    private struct ShardEvent: Encodable {
        let type: String
        var verified: Int?
        var total: Int?
        var stage: String?
        var result: Int?
        var message: String?
        var retryable: Bool?
    }

    /// All events together, since they are known only now.
    private func progress(of shard: Shard, end: ShardEvent) throws -> Answer {
        var events = [ShardEvent(type: "validating", verified: 0, total: shard.files.count)]
        if end.result != nil {
            events.append(
                ShardEvent(
                    type: "validating", verified: shard.files.count, total: shard.files.count))
            events += ["uploading", "syncing"].map { ShardEvent(type: "committing", stage: $0) }
        }
        var bytes = ByteBuffer()
        for event in events + [end] {
            bytes.writeBytes(try JSONText.encode(event))
            bytes.writeString("\n")
        }
        return Answer(
            .ok, headers: [.contentType: "application/x-ndjson"], body: .bytes(bytes))
    }
}
