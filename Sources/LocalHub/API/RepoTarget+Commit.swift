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
        let pullRequestUrl: String?
    }

    /// The JSON form is read whole; clients with more to say use ndjson.
    private static let wholeMax = 64 << 20

    func commit(_ revision: String) async throws -> Answer {
        let publication = CommitPublication(
            target: self, revision: revision,
            ref: try Self.commitRef(revision, opensPullRequest: opensPullRequest),
            opensPullRequest: opensPullRequest)
        let session = try await blocking {
            try requireCommit(to: revision, opensPullRequest: opensPullRequest)
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
        let outcome = try await blocking {
            guard let lock = RepositoryLock.acquire(repository.path) else {
                throw Refusal.repositoryIsBusy
            }
            defer { withExtendedLifetime(lock) {} }
            return try session.publish(publication)
        }
        let web = "\(service.endpoint)/\(webID)"
        return try .json(
            CommitAnswer(
                commitUrl: "\(web)/commit/\(outcome.commit)", commitOid: outcome.commit,
                pullRequestUrl: outcome.pullRequest.map { "\(web)/discussions/\($0)" }))
    }

    /// Whether a commit is to open a pull request.
    var opensPullRequest: Bool { request.flag("create_pr") }

    /// Commits go to branches and to the refs of pull requests; new pull requests to branches.
    static func commitRef(_ revision: String, opensPullRequest: Bool) throws -> String {
        switch RevisionName(revision) {
        case .short(let name): return "refs/heads/" + name
        case .ref(let ref) where ref.hasPrefix("refs/heads/"): return ref
        case .ref(let ref) where ref.hasPrefix("refs/pr/") && !opensPullRequest: return ref
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

    func publish(_ publication: CommitPublication) throws -> CommitPublication.Outcome {
        try draft.withLock { draft in
            try draft.finishLine()
            return try publication.publish(draft)
        }
    }
}
