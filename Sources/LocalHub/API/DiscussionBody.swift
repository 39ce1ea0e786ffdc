/// A discussion in a list; `DiscussionDetails` has all of it.
struct DiscussionSummary: Encodable {
    struct Author: Encodable {
        let name: String
        let type = "user"
    }

    struct Repo: Encodable {
        let name: String
        let type: String
    }

    let num: Int
    let title: String
    let author: Author
    let createdAt: String
    let status: String
    let repo: Repo
    let isPullRequest: Bool

    init(_ record: DiscussionRecord, _ repo: RepoRecord) {
        num = record.number
        title = record.title
        author = Author(name: record.author)
        createdAt = JSONText.date(record.created)
        status = record.status.rawValue
        self.repo = Repo(name: repo.name.description, type: repo.kind.rawValue)
        isPullRequest = record.isPullRequest
    }
}

/// What `GET …/discussions/1` answers: the summary's keys and these.
struct DiscussionDetails: Encodable {
    struct Changes: Encodable {
        let base: String
        let mergeCommitId: String?
    }

    let summary: DiscussionSummary
    let events: [DiscussionEventBody]
    /// Pull requests only, as are the two below.
    var changes: Changes?
    var filesWithConflicts: [String]?
    /// Only if asked for.
    var diff: String?

    private enum CodingKeys: String, CodingKey {
        case events, changes, filesWithConflicts, diff
    }

    func encode(to encoder: any Encoder) throws {
        try summary.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(events, forKey: .events)
        try container.encodeIfPresent(changes, forKey: .changes)
        try container.encodeIfPresent(filesWithConflicts, forKey: .filesWithConflicts)
        try container.encodeIfPresent(diff, forKey: .diff)
    }
}

/// An event as the client reads it: `data` depends on `type`.
struct DiscussionEventBody: Encodable {
    let id: String
    let type: String
    let createdAt: String
    let author: DiscussionSummary.Author
    let data: JSONValue

    init(_ event: DiscussionEvent) {
        id = event.id
        type = event.content.columns.kind
        createdAt = JSONText.date(event.created)
        author = DiscussionSummary.Author(name: event.author)
        switch event.content {
        case .comment(let text):
            data = .object([
                "edited": .bool(false), "hidden": .bool(false),
                "latest": .object([
                    "raw": .string(text), "updatedAt": .string(createdAt),
                ]),
            ])
        case .status(let status):
            data = .object(["status": .string(status.rawValue)])
        case .title(let from, let to):
            data = .object(["from": .string(from), "to": .string(to)])
        case .commit(let oid, let subject):
            data = .object(["oid": .string(oid), "subject": .string(subject)])
        }
    }
}
