import Foundation
import HTTPTypes
import XetCodec

/// batch: changes of a bucket's files, each by itself.
extension BucketTarget {
    private struct Operation: Decodable {
        enum Kind: String, Decodable {
            case addFile, copyFile, deleteFile
        }

        let type: Kind
        let path: String
        let xetHash: String?
        /// Milliseconds since 1970.
        let mtime: Double?
        let contentType: String?
        let sourceRepoType: String?
        let sourceRepoId: String?
    }

    private struct BatchAnswer: Encodable {
        struct Failure: Encodable {
            let path: String
            let error: String
        }

        let success: Bool
        let processed: Int
        let succeeded: Int
        let failed: [Failure]
    }

    /// Why one operation fails; the others go on.
    private struct Failure: Error {
        let text: String
    }

    private static let operationsMax = 1000
    private static let bodyMax = 16 << 20

    func batch() async throws -> Answer {
        let lines = try await request.collect(max: Self.bodyMax)
            .split(separator: UInt8(ascii: "\n"))
        guard lines.count <= Self.operationsMax else {
            throw Refusal.badRequest("Too many operations: at most \(Self.operationsMax)")
        }
        let answer = try await blocking {
            try caller.requireWrite(to: bucket)
            let operations = try lines.map { line in
                do {
                    return try JSONDecoder().decode(Operation.self, from: Data(line))
                } catch {
                    throw Refusal.unprocessable("Invalid operation: \(error)")
                }
            }
            return try apply(operations)
        }
        let isFailure = answer.succeeded == 0 && answer.processed > 0
        return try .json(answer, isFailure ? .unprocessableContent : .ok)
    }

    private func apply(_ operations: [Operation]) throws -> BatchAnswer {
        var changes: [BucketChange] = []
        var failed: [BatchAnswer.Failure] = []
        // What a path has after the operations before.
        var isThere: [ExactText: Bool] = [:]
        for operation in operations {
            do {
                let path = ExactText(operation.path)
                if operation.type == .deleteFile {
                    let known = try isThere[path] ?? (registry.file(path.text, in: bucket) != nil)
                    guard known else { throw Failure(text: "File not found") }
                    changes.append(.delete(path: path.text))
                } else {
                    changes.append(.put(try file(operation)))
                }
                isThere[path] = operation.type != .deleteFile
            } catch let failure as Failure {
                failed.append(.init(path: operation.path, error: failure.text))
            }
        }
        let xet = try service.requireXet()
        try registry.apply(changes, to: bucket, keeping: xet.options.bucketChangesKept)
        xet.feeds?.wake(bucket.id)
        return BatchAnswer(
            success: failed.isEmpty, processed: operations.count, succeeded: changes.count,
            failed: failed)
    }

    /// - Throws: `Failure` unless the file may be there and its content is the caller's to use.
    private func file(_ operation: Operation) throws -> BucketFile {
        if let reason = FilePath.refusal(operation.path) {
            throw Failure(text: "Invalid path: \(reason)")
        }
        guard let hash = operation.xetHash.flatMap({ XetHash(text: $0) }) else {
            throw Failure(text: "Invalid xetHash")
        }
        let owner = operation.type == .copyFile ? try source(operation) : .bucket(bucket)
        let isKnown = try hash == .zero || registry.hasXetFile(hash, in: owner)
        guard isKnown, let content = try service.hub.xet.file(hash) else {
            throw Failure(text: "No content with the hash \(hash)")
        }
        return BucketFile(
            path: operation.path, hash: hash, size: content.size,
            modified: operation.mtime.map { Date(timeIntervalSince1970: $0 / 1000) },
            uploaded: Date(), contentType: operation.contentType)
    }

    /// Where a content is copied from, if the caller may read there.
    private func source(_ operation: Operation) throws -> XetOwner {
        let missing = Failure(text: "Source not found")
        guard let type = operation.sourceRepoType,
            let name = operation.sourceRepoId.flatMap({ RepoName($0) })
        else { throw missing }
        do {
            if type == "bucket" {
                guard let other = try registry.bucket(name) else { throw missing }
                try caller.requireSight(of: other)
                return .bucket(other)
            }
            guard let kind = RepoKind(rawValue: type), let repo = try registry.repo(kind, name)
            else { throw missing }
            try caller.requireContent(of: repo, registry: registry)
            return .repo(repo)
        } catch is Refusal {
            throw missing
        }
    }
}
