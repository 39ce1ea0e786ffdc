import Foundation
import GRDB
import XetCodec

/// The last changes of buckets, for those who follow them.
extension Registry {
    /// Which changes of a bucket are known.
    struct KnownChanges {
        /// The last one's number; 0 if there was none.
        let last: Int
        /// That of the last one which is not kept any more.
        let dropped: Int
        /// When that was made, in seconds since 1970.
        let droppedAt: Double
    }

    func knownChanges(of bucket: BucketRecord) throws -> KnownChanges {
        try pool.read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT dropped, droppedAt,
                        (SELECT max(id) FROM bucketChange WHERE bucket = bucket.id) AS last
                    FROM bucket WHERE id = ?
                    """, arguments: [bucket.id])
            let dropped: Int = row?["dropped"] ?? 0
            return KnownChanges(
                last: row?["last"] ?? dropped, dropped: dropped,
                droppedAt: row?["droppedAt"] ?? 0)
        }
    }

    /// The number of the last change of any bucket.
    func lastBucketChange() throws -> Int {
        try pool.read { database in
            try Int.fetchOne(
                database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'bucketChange'") ?? 0
        }
    }

    /// The first change that was made at a time, in seconds since 1970, or after it.
    func bucketChange(of bucket: BucketRecord, since time: Double) throws -> Int? {
        try pool.read { database in
            try Int.fetchOne(
                database, sql: "SELECT min(id) FROM bucketChange WHERE bucket = ? AND time >= ?",
                arguments: [bucket.id, time])
        }
    }

    /// Changes behind one, in their order.
    func changes(
        of bucket: BucketRecord, after last: Int, limit: Int
    ) throws -> [BucketChangeRecord] {
        try pool.read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT * FROM bucketChange WHERE bucket = ? AND id > ? ORDER BY id LIMIT ?",
                arguments: [bucket.id, last, limit]
            ).map(BucketChangeRecord.init(row:))
        }
    }

    /// Notes a change that is about to be made.
    ///
    /// - Parameter time: Now; what is put has its own.
    static func note(
        _ change: BucketChange, to bucket: BucketRecord, at time: Double, _ database: Database
    ) throws {
        switch change {
        case .delete(let path):
            try database.execute(
                sql: """
                    INSERT INTO bucketChange (bucket, path, op, time) VALUES (?, ?, 'delete', ?)
                    """, arguments: [bucket.id, path, time])
        case .put(let file):
            try database.execute(
                sql: """
                    INSERT INTO bucketChange (bucket, path, op, hash, size, mtime, time)
                    SELECT :bucket, :path, iif(EXISTS (
                        SELECT 1 FROM bucketFile WHERE bucket = :bucket AND path = :path
                    ), 'update', 'add'), :hash, :size, :mtime, :time
                    """,
                arguments: [
                    "bucket": bucket.id, "path": file.path, "hash": file.hash.text,
                    "size": file.size, "mtime": file.modified?.timeIntervalSince1970,
                    "time": file.uploaded.timeIntervalSince1970,
                ])
        }
    }

    /// Drops the oldest changes of a bucket, and remembers up to where.
    static func dropChanges(
        of bucket: BucketRecord, keeping count: Int, _ database: Database
    ) throws {
        let oldest = try Row.fetchOne(
            database,
            sql: """
                SELECT id, time FROM bucketChange WHERE bucket = ? ORDER BY id DESC
                LIMIT 1 OFFSET ?
                """, arguments: [bucket.id, count])
        guard let oldest else { return }
        let (id, time): (Int, Double) = (oldest["id"], oldest["time"])
        try database.execute(
            sql: "DELETE FROM bucketChange WHERE bucket = ? AND id <= ?",
            arguments: [bucket.id, id])
        try database.execute(
            sql: "UPDATE bucket SET dropped = ?, droppedAt = ? WHERE id = ?",
            arguments: [id, time, bucket.id])
    }
}

/// A change of a bucket as its followers are told of it.
struct BucketChangeRecord: Encodable, Sendable {
    let id: Int
    let path: String
    let operation: String
    let size: Int?
    let hash: String?
    let modified: Date?
    /// None if the file was deleted.
    let uploaded: Date?

    private enum CodingKeys: String, CodingKey {
        case path
        case operation = "op"
        case size, xetHash, uploadedAt, mtime
    }

    init(row: Row) {
        id = row["id"]
        path = row["path"]
        operation = row["op"]
        size = row["size"]
        hash = row["hash"]
        modified = (row["mtime"] as Double?).map { Date(timeIntervalSince1970: $0) }
        uploaded = hash == nil ? nil : Date(timeIntervalSince1970: row["time"])
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(path, forKey: .path)
        try container.encode(operation, forKey: .operation)
        try container.encodeIfPresent(size, forKey: .size)
        try container.encodeIfPresent(hash, forKey: .xetHash)
        try container.encodeIfPresent(uploaded.map(JSONText.date), forKey: .uploadedAt)
        try container.encodeIfPresent(modified.map(JSONText.date), forKey: .mtime)
    }
}
