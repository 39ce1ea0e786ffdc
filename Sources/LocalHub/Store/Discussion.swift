import Foundation
import GRDB

/// A discussion's or pull request's row.
struct DiscussionRecord: Sendable {
    enum Status: String, Sendable {
        case open
        case closed
        /// Pull requests only.
        case merged
        /// A pull request that is not to be merged yet.
        case draft

        /// Whether the discussion goes on.
        var isOpen: Bool { self == .open || self == .draft }
    }

    /// From 1, within the repo.
    let number: Int
    let title: String
    let author: String
    let created: Date
    let status: Status
    /// The branch's ref a pull request is to be merged into; nil for discussions.
    let target: String?
    /// The commit that merged it.
    let mergeCommit: String?

    var isPullRequest: Bool { target != nil }

    init?(row: Row) {
        guard let status = Status(rawValue: row["status"]) else { return nil }
        self.number = row["num"]
        self.title = row["title"]
        self.author = row["author"]
        self.created = Date(timeIntervalSince1970: row["created"])
        self.status = status
        self.target = row["target"]
        self.mergeCommit = row["mergeCommit"]
    }
}

/// Something that happened in a discussion.
struct DiscussionEvent: Sendable {
    enum Content: Sendable, Equatable {
        case comment(String)
        case status(DiscussionRecord.Status)
        case title(from: String, to: String)
        case commit(oid: String, subject: String)
    }

    /// 24 hex digits.
    let id: String
    let author: String
    let created: Date
    let content: Content
}

extension DiscussionEvent {
    init?(row: Row) {
        let value: String = row["value"]
        let other: String = row["other"]
        switch row["kind"] as String {
        case "comment": content = .comment(value)
        case "status-change":
            guard let status = DiscussionRecord.Status(rawValue: value) else { return nil }
            content = .status(status)
        case "title-change": content = .title(from: other, to: value)
        case "commit": content = .commit(oid: other, subject: value)
        default: return nil
        }
        let digits = String(row["id"] as Int64, radix: 16)
        id = String(repeating: "0", count: 24 - digits.count) + digits
        author = row["author"]
        created = Date(timeIntervalSince1970: row["created"])
    }
}

extension DiscussionEvent.Content {
    /// The columns `kind`, `value` and `other`.
    var columns: (kind: String, value: String, other: String) {
        switch self {
        case .comment(let text): ("comment", text, "")
        case .status(let status): ("status-change", status.rawValue, "")
        case .title(let from, let to): ("title-change", to, from)
        case .commit(let oid, let subject): ("commit", subject, oid)
        }
    }
}
