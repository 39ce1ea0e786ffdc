import Foundation

/// super-squash: a branch without its history.
extension RepoTarget {
    private struct SquashBody: Decodable {
        let message: String?
    }

    private struct SquashedBody: Encodable {
        let commitId: String
    }

    private static let squashMessageMax = 500

    func superSquash(_ branch: String) async throws -> Answer {
        let bytes = try await request.collect(max: 1 << 16)
        let body = try Self.decode(SquashBody.self, bytes.isEmpty ? Array("{}".utf8) : bytes)
        let text = body.message ?? "Super-squash branch '\(branch)'"
        guard text.count <= Self.squashMessageMax else {
            throw Refusal.unprocessable("At most \(Self.squashMessageMax) characters of message")
        }
        let commit = try await blocking {
            try caller.requireWrite(to: repo)
            let ref = "refs/heads/" + branch
            guard !branch.hasPrefix("refs/"), RevisionName.isValidRef(ref) else {
                throw Refusal.badRequest("Invalid reference for a branch: \(branch)")
            }
            guard let lock = RepositoryLock.acquire(repository.path) else {
                throw Refusal.repositoryIsBusy
            }
            defer { withExtendedLifetime(lock) {} }
            guard let head = try repository.commit(.ref(ref)) else {
                guard try repository.commit(.ref("refs/tags/" + branch)) == nil else {
                    throw Refusal.badRequest("Invalid reference for a branch: \(branch)")
                }
                throw Refusal.revisionNotFound(branch)
            }
            let commit = try repository.writeCommit(
                tree: head.tree, parent: nil, message: .init(author: caller.author, text: text))
            guard try repository.moveRef(ref, from: head.oid, to: commit) else {
                throw Refusal.branchMoved
            }
            try forget(what: [head.oid])
            return commit
        }
        return try .json(SquashedBody(commitId: commit))
    }

    /// Makes what led to these commits, and to nothing else, unknown: git still has the objects, but
    /// the Hub says of a history that was rewritten that there is no such revision.
    func forget(what old: [String]) throws {
        let lost = try repository.unreachable(from: old)
        try registry.forget(lost, of: repo)
    }
}
