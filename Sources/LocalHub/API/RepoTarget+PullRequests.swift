import Foundation
import HTTPTypes

/// Pull requests: their refs, what they change, and their end.
extension RepoTarget {
    static func pullRequestRef(_ number: Int) -> String { "refs/pr/\(number)" }

    /// The number in `refs/pr/3`.
    static func pullRequestNumber(_ revision: String) -> Int? {
        guard revision.hasPrefix("refs/pr/") else { return nil }
        return Int(revision.dropFirst("refs/pr/".count)).flatMap { $0 > 0 ? $0 : nil }
    }

    /// The largest number a ref has, be it pushed by git.
    func lastPullRequest() throws -> Int {
        try repository.refs().compactMap { Self.pullRequestNumber($0.ref) }.max() ?? 0
    }

    /// Opens a pull request whose ref is at `commit`.
    ///
    /// - Returns: its number.
    func openPullRequest(_ new: Registry.NewDiscussion, at commit: String) throws -> Int {
        let number = try registry.open(new, in: repo, above: try lastPullRequest())
        guard try repository.moveRef(Self.pullRequestRef(number), from: nil, to: commit) else {
            throw Refusal.conflict("refs/pr/\(number) was made by somebody else", url: nil)
        }
        return number
    }

    // MARK: Rights

    /// Who may send what a commit to `revision` needs.
    ///
    /// Everybody with a token may open pull requests, and go on with their own.
    ///
    /// - Parameter revision: as the request names it; nil only for a new pull request.
    /// - Throws: the Hub's refusal, also if the pull request has ended.
    func requireCommit(to revision: String?, opensPullRequest: Bool) throws {
        if opensPullRequest {
            try caller.requireVoice(in: repo, registry: registry)
        } else if let revision, let number = Self.pullRequestNumber(revision),
            let record = try registry.discussion(number, in: repo), record.isPullRequest
        {
            try caller.requireVoice(in: repo, registry: registry)
            try requireSay(in: record)
            guard record.status.isOpen else {
                throw Refusal.forbidden("The pull request is \(record.status.rawValue)")
            }
        } else {
            try caller.requireWrite(to: repo)
        }
    }

    // MARK: What it changes

    private static let diffMax = 16 << 20

    /// What the pull request adds to what it began with; nil if its ref is gone, or if it is too
    /// much to show.
    func diff(of record: DiscussionRecord) throws -> String? {
        guard let (head, target) = try sides(of: record) else { return nil }
        let base = try repository.mergeBase(head.oid, target.oid) ?? target.oid
        let text = try repository.diff(base, head.oid, byteCountMax: Self.diffMax)
        return text.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The files that keep it from being merged; none once it has ended.
    func conflicts(of record: DiscussionRecord) throws -> [String] {
        guard record.status.isOpen, let (head, target) = try sides(of: record) else { return [] }
        // Whoever looks leaves no trees behind.
        let scratch = try ScratchRepository(
            incoming: service.hub.folder.incoming, objects: repository.path)
        switch try repository.merge(
            target.oid, head.oid, environment: scratch.readingEnvironment)
        {
        case .tree: return []
        case .conflicts(let files): return files
        }
    }

    private func sides(
        of record: DiscussionRecord
    ) throws -> (head: CommitRecord, target: CommitRecord)? {
        guard let targetRef = record.target,
            let head = try repository.commit(.ref(Self.pullRequestRef(record.number))),
            let target = try repository.commit(.ref(targetRef))
        else { return nil }
        return (head, target)
    }

    // MARK: Its end

    private struct MergeBody: Decodable {
        let comment: String?
    }

    /// Puts what the pull request changes on its target as one commit.
    func merge(_ number: Int) async throws -> Answer {
        let bytes = try await request.collect(max: 1 << 20)
        let body = try Self.decode(MergeBody.self, bytes.isEmpty ? Array("{}".utf8) : bytes)
        let event = try await blocking {
            try caller.requireWrite(to: repo)
            guard let lock = RepositoryLock.acquire(repository.path) else {
                throw Refusal.repositoryIsBusy
            }
            defer { withExtendedLifetime(lock) {} }
            let record = try record(number)
            guard let targetRef = record.target else {
                throw Refusal.badRequest("Discussion \(number) is no pull request")
            }
            guard record.status == .open else {
                throw Refusal.badRequest("The pull request is \(record.status.rawValue)")
            }
            let commit = try mergeCommit(of: record, into: targetRef)
            if let comment = body.comment, !comment.isEmpty {
                _ = try registry.add(.comment(comment), to: number, in: repo, by: caller.author)
            }
            return try registry.add(
                .status(.merged), to: number, in: repo, by: caller.author, mergeCommit: commit)
        }
        return try .json(event.map { ["newStatus": DiscussionEventBody($0)] } ?? [:])
    }

    /// Commits whose titles the merge's message lists at most.
    private static let listedCommitsMax = 100

    private func mergeCommit(
        of record: DiscussionRecord, into targetRef: String
    ) throws -> String {
        guard let (head, target) = try sides(of: record) else {
            throw Refusal.revisionNotFound(Self.pullRequestRef(record.number))
        }
        let tree: String
        switch try repository.merge(target.oid, head.oid) {
        case .tree(let merged): tree = merged
        case .conflicts(let files): throw Refusal.mergeConflict(files)
        }
        let commits = try repository.commits(
            to: head.oid, notTo: target.oid, limit: Self.listedCommitsMax)
        let list = commits.map { "- \($0.title.prefix(200)) (\($0.oid))" }
        let title = "\(record.title) (#\(record.number))"
        let text = list.isEmpty ? title : title + "\n\n" + list.joined(separator: "\n")
        let commit = try repository.writeCommit(
            tree: tree, parent: target.oid, message: .init(author: caller.author, text: text))
        guard try repository.moveRef(targetRef, from: target.oid, to: commit) else {
            throw Refusal.branchMoved
        }
        return commit
    }

    /// Removes what an ended pull request changed.
    func deletePullRequestRef(_ number: Int) async throws -> Answer {
        try await blocking {
            try caller.requireVoice(in: repo, registry: registry)
            let record = try record(number)
            try requireSay(in: record)
            guard record.isPullRequest, !record.status.isOpen else {
                throw Refusal.badRequest("Only a closed or merged pull request's ref is deleted")
            }
            let ref = Self.pullRequestRef(number)
            guard try repository.commit(.ref(ref)) != nil else {
                throw Refusal.revisionNotFound(ref)
            }
            try repository.deleteRef(ref)
        }
        return .text(.ok, "OK")
    }
}
