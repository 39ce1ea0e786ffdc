import HTTPTypes
import NIOCore
import Synchronization

/// commit: changes of a branch, whole or not at all.
extension RepoTarget {
    private struct CommitAnswer: Encodable {
        let success = true
        let commitUrl: String
        let commitOid: String
        let hookOutput = ""
    }

    /// The JSON form is read whole; clients with more to say use ndjson.
    private static let wholeMax = 64 << 20

    func commit(_ revision: String) async throws -> Answer {
        try refusePullRequests()
        let publication = CommitPublication(
            target: self, revision: revision, ref: try Self.branchRef(revision))
        let session = try await blocking {
            try caller.requireWrite(to: repo)
            guard try repository.commit(.ref(publication.ref)) != nil else {
                throw Refusal.revisionNotFound(revision)
            }
            return CommitSession(
                writer: try CommitWriter(
                    repository: repository, incoming: service.hub.folder.incoming))
        }
        if request.headers[.contentType]?.hasPrefix("application/json") == true {
            let body = try await request.collect(max: Self.wholeMax)
            try await blocking { try session.add(whole: body) }
        } else {
            try await request.forEachPiece { piece in
                try await blocking { try session.take(piece) }
            }
        }
        let oid = try await blocking {
            guard let lock = RepositoryLock.acquire(repository.path) else {
                throw Refusal.conflict(
                    "Another commit operation is in progress for this repository. "
                        + "Please try again later.", url: nil)
            }
            defer { withExtendedLifetime(lock) {} }
            return try session.publish(publication)
        }
        let url = "\(service.endpoint)/\(webID)/commit/\(oid)"
        return try .json(CommitAnswer(commitUrl: url, commitOid: oid))
    }

    /// Commits go to branches and to the refs of pull requests.
    private static func branchRef(_ revision: String) throws -> String {
        switch RevisionName(revision) {
        case .short(let name): return "refs/heads/" + name
        case .ref(let ref) where ref.hasPrefix("refs/heads/") || ref.hasPrefix("refs/pr/"):
            return ref
        default: throw Refusal.revisionNotFound(revision)
        }
    }
}

/// A draft between the pieces of its body. The mutex orders what follows one another anyway.
private final class CommitSession: Sendable {
    private let draft: Mutex<CommitDraft>

    init(writer: sending CommitWriter) {
        draft = Mutex(CommitDraft(writer: writer))
    }

    func take(_ piece: ByteBuffer) throws {
        try draft.withLock { try $0.take(piece.readableBytesView) }
    }

    func add(whole body: [UInt8]) throws {
        try draft.withLock { draft in
            for operation in try CommitOperation.parse(whole: body) { try draft.add(operation) }
        }
    }

    func publish(_ publication: CommitPublication) throws -> String {
        try draft.withLock { draft in
            try draft.finishLine()
            return try publication.publish(draft)
        }
    }
}
