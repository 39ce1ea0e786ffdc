import Foundation

/// discussions: opening, listing, reading, and talking in them.
extension RepoTarget {
    private struct NewBody: Decodable {
        let title: String
        let description: String?
        let pullRequest: Bool?
    }

    private static let titleLength = 3...200
    /// Characters of a comment.
    private static let commentMax = 65_536

    /// Opens a discussion, or a pull request that changes nothing yet.
    func openDiscussion() async throws -> Answer {
        let body = try await request.json(NewBody.self)
        let details = try await blocking {
            let token = try caller.requireVoice(in: repo, registry: registry)
            let title = try Self.checkedTitle(body.title)
            let text = try Self.checkedComment(body.description ?? "", mayBeEmpty: true)
            let isPullRequest = body.pullRequest ?? false
            var new = Registry.NewDiscussion(
                title: title, author: token.user, description: text, status: .open, target: nil)
            let number: Int
            if isPullRequest {
                let target = "refs/heads/main"
                guard let head = try repository.commit(.ref(target)) else {
                    throw Refusal.revisionNotFound("main")
                }
                new = .init(
                    title: title, author: token.user, description: text, status: .draft,
                    target: target)
                number = try openPullRequest(new, at: head.oid)
            } else {
                number = try registry.open(new, in: repo, above: try lastPullRequest())
            }
            return try self.details(number, withDiff: false)
        }
        return try .json(details)
    }

    private static func checkedTitle(_ text: String) throws -> String {
        let title = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard titleLength.contains(title.count) else {
            throw Refusal.unprocessable(
                "A title has \(titleLength.lowerBound) to \(titleLength.upperBound) characters")
        }
        return title
    }

    private static func checkedComment(_ text: String, mayBeEmpty: Bool = false) throws -> String {
        guard mayBeEmpty || !text.isEmpty, text.count <= commentMax else {
            throw Refusal.unprocessable("A comment has 1 to \(commentMax) characters")
        }
        return text
    }

    // MARK: Reading

    private struct ListBody: Encodable {
        let discussions: [DiscussionSummary]
        /// Of all pages.
        let count: Int
        /// How many come before this page.
        let start: Int
    }

    private static let pageSize = 50

    func listDiscussions() async throws -> Answer {
        let page = request.parameter("p").map { Int($0) ?? -1 } ?? 0
        guard (0..<1_000_000).contains(page) else { throw Refusal.badRequest("Invalid page") }
        let type = request.parameter("type") ?? "all"
        let status = request.parameter("status") ?? "all"
        guard ["all", "discussion", "pull_request"].contains(type),
            ["all", "open", "closed"].contains(status)
        else { throw Refusal.badRequest("Invalid type or status") }
        let author = request.parameter("author")
        let found = try await blocking {
            try registry.discussions(in: repo).filter { record in
                (type == "all" || record.isPullRequest == (type == "pull_request"))
                    && (status == "all" || record.status.isOpen == (status == "open"))
                    && (author == nil || record.author == author)
            }
        }
        let start = page * Self.pageSize
        let shown = found.dropFirst(start).prefix(Self.pageSize)
        return try .json(
            ListBody(
                discussions: shown.map { DiscussionSummary($0, repo) }, count: found.count,
                start: start))
    }

    func discussion(_ number: Int) async throws -> Answer {
        let withDiff = request.flag("diff")
        return try .json(try await blocking { try details(number, withDiff: withDiff) })
    }

    /// - Throws: `Refusal.missing`.
    func record(_ number: Int) throws -> DiscussionRecord {
        guard let record = try registry.discussion(number, in: repo) else {
            throw Refusal.missing("There is no discussion \(number)")
        }
        return record
    }

    private func details(_ number: Int, withDiff: Bool) throws -> DiscussionDetails {
        let record = try record(number)
        let events = try registry.events(of: number, in: repo).map { DiscussionEventBody($0) }
        var details = DiscussionDetails(summary: DiscussionSummary(record, repo), events: events)
        if let target = record.target {
            details.changes = .init(base: target, mergeCommitId: record.mergeCommit)
            details.filesWithConflicts = try conflicts(of: record)
            // What changes is content, which not everybody may read who may read the talk.
            if withDiff, (try? caller.requireContent(of: repo, registry: registry)) != nil {
                details.diff = try diff(of: record)
            }
        }
        return details
    }

    // MARK: Taking part

    private struct CommentBody: Decodable {
        let comment: String
    }

    private struct TitleBody: Decodable {
        let title: String
    }

    private struct StatusBody: Decodable {
        let status: String
        let comment: String?
    }

    func comment(on number: Int) async throws -> Answer {
        let body = try await request.json(CommentBody.self)
        return try await note(number, as: "newMessage") { _ in
            .comment(try Self.checkedComment(body.comment))
        }
    }

    func rename(_ number: Int) async throws -> Answer {
        let body = try await request.json(TitleBody.self)
        return try await note(number, as: "newTitle") { record in
            try requireSay(in: record)
            return .title(from: record.title, to: try Self.checkedTitle(body.title))
        }
    }

    func changeStatus(of number: Int) async throws -> Answer {
        let body = try await request.json(StatusBody.self)
        return try await note(number, as: "newStatus") { record in
            try requireSay(in: record)
            guard let status = DiscussionRecord.Status(rawValue: body.status),
                status == .open || status == .closed
            else { throw Refusal.unprocessable("Invalid status: \(body.status)") }
            guard record.status != .merged, record.status != status else {
                throw Refusal.badRequest("The discussion is \(record.status.rawValue) already")
            }
            if let comment = body.comment {
                let text = try Self.checkedComment(comment)
                _ = try registry.add(.comment(text), to: number, in: repo, by: caller.author)
            }
            return .status(status)
        }
    }

    /// Notes an event and answers with it under `key`.
    private func note(
        _ number: Int, as key: String,
        _ content: @escaping @Sendable (DiscussionRecord) throws -> DiscussionEvent.Content
    ) async throws -> Answer {
        let event = try await blocking {
            try caller.requireVoice(in: repo, registry: registry)
            let content = try content(try record(number))
            return try registry.add(content, to: number, in: repo, by: caller.author)
        }
        return try .json(event.map { [key: DiscussionEventBody($0)] } ?? [:])
    }

    /// Titles and states are for the author and for those who may write.
    func requireSay(in record: DiscussionRecord) throws {
        if record.author != caller.author { try caller.requireWrite(to: repo) }
    }
}
