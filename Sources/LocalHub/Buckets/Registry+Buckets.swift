import Foundation
import GRDB
import XetCodec

/// The tables of buckets.
extension Registry {
    // MARK: Buckets

    /// The bucket of that name in any letter case.
    func bucket(_ name: RepoName) throws -> BucketRecord? {
        try bucket("namespace = ? AND name = ?", [name.namespace, name.name])
    }

    func bucket(id: String) throws -> BucketRecord? { try bucket("id = ?", [id]) }

    /// The bucket that had the name once.
    func bucket(alias old: RepoName) throws -> BucketRecord? {
        try bucket(
            "id = (SELECT bucket FROM bucketAlias WHERE old = ?)", [old.description])
    }

    private func bucket(
        _ condition: String, _ arguments: StatementArguments
    ) throws -> BucketRecord? {
        try pool.read { database in
            try Row.fetchOne(
                database, sql: "SELECT * FROM bucket WHERE \(condition)", arguments: arguments
            ).flatMap(BucketRecord.init(row:))
        }
    }

    /// Those of a namespace, in order of their names.
    func buckets(of namespace: String, search: String?) throws -> [BucketRecord] {
        try pool.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM bucket WHERE namespace = :namespace
                    AND (:search IS NULL OR instr(lower(name), lower(:search))) ORDER BY name
                    """,
                arguments: ["namespace": namespace, "search": search]
            ).compactMap(BucketRecord.init(row:))
        }
    }

    func insertBucket(_ name: RepoName, isPrivate: Bool) throws {
        let id = (0..<12).map { _ in hex(UInt8.random(in: 0...255)) }.joined()
        let now = Date().timeIntervalSince1970
        try pool.write { database in
            try database.execute(
                sql: """
                    INSERT INTO bucket (id, namespace, name, private, created, updated)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [id, name.namespace, name.name, isPrivate, now, now])
        }
    }

    func delete(_ bucket: BucketRecord) throws {
        try pool.write { database in
            try database.execute(sql: "DELETE FROM bucket WHERE id = ?", arguments: [bucket.id])
        }
    }

    func update(_ bucket: BucketRecord, isPrivate: Bool) throws {
        try pool.write { database in
            try database.execute(
                sql: "UPDATE bucket SET private = ? WHERE id = ?",
                arguments: [isPrivate, bucket.id])
        }
    }

    /// Gives the bucket another name; the old one leads to it from then on.
    func rename(_ bucket: BucketRecord, to name: RepoName) throws {
        try pool.write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO bucketAlias VALUES (?, ?)",
                arguments: [bucket.name.description, bucket.id])
            try database.execute(
                sql: "DELETE FROM bucketAlias WHERE old = ?", arguments: [name.description])
            try database.execute(
                sql: "UPDATE bucket SET namespace = ?, name = ? WHERE id = ?",
                arguments: [name.namespace, name.name, bucket.id])
        }
    }

    /// How many files it has, and their bytes together.
    func contents(of bucket: BucketRecord) throws -> (count: Int, size: Int) {
        try pool.read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT count(*) AS count, coalesce(sum(size), 0) AS size FROM bucketFile
                    WHERE bucket = ?
                    """,
                arguments: [bucket.id])
            return row.map { ($0["count"], $0["size"]) } ?? (0, 0)
        }
    }

    // MARK: Files

    func file(_ path: String, in bucket: BucketRecord) throws -> BucketFile? {
        try pool.read { database in
            try Row.fetchOne(
                database, sql: "SELECT * FROM bucketFile WHERE bucket = ? AND path = ?",
                arguments: [bucket.id, path]
            ).flatMap(BucketFile.init(row:))
        }
    }

    /// Files whose paths begin with a text, in the order of their paths' bytes.
    ///
    /// - Parameters:
    ///   - last: only those behind this path.
    ///   - limit: at most so many; nil for all.
    func files(
        in bucket: BucketRecord, prefix: String, after last: String?, limit: Int?
    ) throws -> [BucketFile] {
        try pool.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM bucketFile WHERE bucket = :bucket AND path >= :prefix
                    AND path > coalesce(:last, '') AND substr(path, 1, length(:prefix)) = :prefix
                    ORDER BY path LIMIT :limit
                    """,
                arguments: [
                    "bucket": bucket.id, "prefix": prefix, "last": last, "limit": limit ?? -1,
                ]
            ).compactMap(BucketFile.init(row:))
        }
    }

    /// Changes files, all of them or, if the database fails, none.
    ///
    /// - Parameter count: So many of the bucket's last changes stay known.
    func apply(
        _ changes: [BucketChange], to bucket: BucketRecord, keeping count: Int
    ) throws {
        guard !changes.isEmpty else { return }
        try pool.write { database in
            let now = Date().timeIntervalSince1970
            for change in changes {
                try Self.note(change, to: bucket, at: now, database)
                try Self.apply(change, to: bucket, database)
            }
            try database.execute(
                sql: "UPDATE bucket SET updated = ? WHERE id = ?", arguments: [now, bucket.id])
            try Self.dropChanges(of: bucket, keeping: count, database)
        }
    }

    private static func apply(
        _ change: BucketChange, to bucket: BucketRecord, _ database: Database
    ) throws {
        switch change {
        case .put(let file):
            try database.execute(
                sql:
                    "INSERT OR IGNORE INTO bucketContent SELECT ?, hash FROM xetFile WHERE hash = ?",
                arguments: [bucket.id, file.hash.text])
            try database.execute(
                sql: "INSERT OR REPLACE INTO bucketFile VALUES (?, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    bucket.id, file.path, file.hash.text, file.size,
                    file.modified?.timeIntervalSince1970, file.uploaded.timeIntervalSince1970,
                    file.contentType,
                ])
        case .delete(let path):
            try database.execute(
                sql: "DELETE FROM bucketFile WHERE bucket = ? AND path = ?",
                arguments: [bucket.id, path])
        }
    }
}

/// A change of one path of a bucket.
enum BucketChange: Sendable {
    case put(BucketFile)
    case delete(path: String)
}
