import Foundation
import GRDB

/// Discussions and pull requests; what a pull request changes is in git, at `refs/pr/NUMBER`.
extension Registry {
    /// What a new discussion is.
    struct NewDiscussion {
        let title: String
        let author: String
        /// The first comment.
        let description: String
        let status: DiscussionRecord.Status
        /// The ref a pull request is to be merged into; nil for a discussion.
        let target: String?
    }

    /// Adds a discussion with its first comment.
    ///
    /// - Parameter floor: a number already in use by a ref; the new one is larger.
    /// - Returns: its number.
    func open(_ new: NewDiscussion, in repo: RepoRecord, above floor: Int) throws -> Int {
        try pool.write { database in
            let last = try Int.fetchOne(
                database, sql: "SELECT max(num) FROM discussion WHERE repo = ?",
                arguments: [repo.id])
            let number = max(last ?? 0, floor) + 1
            try database.execute(
                sql: "INSERT INTO discussion VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                arguments: [
                    repo.id, number, new.title, new.author, Date().timeIntervalSince1970,
                    new.status.rawValue, new.target,
                ])
            _ = try Self.insert(
                .comment(new.description), by: new.author, repo, number, database)
            return number
        }
    }

    func discussion(_ number: Int, in repo: RepoRecord) throws -> DiscussionRecord? {
        try pool.read { database in
            try Row.fetchOne(
                database, sql: "SELECT * FROM discussion WHERE repo = ? AND num = ?",
                arguments: [repo.id, number]
            ).flatMap(DiscussionRecord.init(row:))
        }
    }

    /// The newest first.
    func discussions(in repo: RepoRecord) throws -> [DiscussionRecord] {
        try pool.read { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM discussion WHERE repo = ? ORDER BY num DESC",
                arguments: [repo.id]
            ).compactMap(DiscussionRecord.init(row:))
        }
    }

    /// In the order they happened.
    func events(of number: Int, in repo: RepoRecord) throws -> [DiscussionEvent] {
        try pool.read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT * FROM discussionEvent WHERE repo = ? AND num = ? ORDER BY id",
                arguments: [repo.id, number]
            ).compactMap(DiscussionEvent.init(row:))
        }
    }

    /// Notes what happened, and changes the discussion's row as it says.
    ///
    /// - Parameter mergeCommit: with the status `merged`, the commit that merged it.
    func add(
        _ content: DiscussionEvent.Content, to number: Int, in repo: RepoRecord, by author: String,
        mergeCommit: String? = nil
    ) throws -> DiscussionEvent? {
        try pool.write { database in
            switch content {
            case .comment, .commit: break
            case .status(let status):
                try database.execute(
                    sql: """
                        UPDATE discussion SET status = ?, mergeCommit = ?
                        WHERE repo = ? AND num = ?
                        """,
                    arguments: [status.rawValue, mergeCommit, repo.id, number])
            case .title(_, let title):
                try database.execute(
                    sql: "UPDATE discussion SET title = ? WHERE repo = ? AND num = ?",
                    arguments: [title, repo.id, number])
            }
            return try Self.insert(content, by: author, repo, number, database)
        }
    }

    private static func insert(
        _ content: DiscussionEvent.Content, by author: String, _ repo: RepoRecord, _ number: Int,
        _ database: Database
    ) throws -> DiscussionEvent? {
        let (kind, value, other) = content.columns
        try database.execute(
            sql: "INSERT INTO discussionEvent VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                repo.id, number, kind, author, Date().timeIntervalSince1970, value, other,
            ])
        return try Row.fetchOne(
            database, sql: "SELECT * FROM discussionEvent WHERE id = ?",
            arguments: [database.lastInsertedRowID]
        ).flatMap(DiscussionEvent.init(row:))
    }
}
