import Foundation
import GRDB
import XetCodec

/// A bucket's row: who it is and who may see it.
struct BucketRecord: Sendable {
    let id: String
    let name: RepoName
    let isPrivate: Bool
    let created: Date
    let updated: Date

    init?(row: Row) {
        guard let name = RepoName(namespace: row["namespace"], name: row["name"]) else {
            return nil
        }
        id = row["id"]
        self.name = name
        isPrivate = row["private"]
        created = Date(timeIntervalSince1970: row["created"])
        updated = Date(timeIntervalSince1970: row["updated"])
    }
}

/// What is at a path of a bucket.
struct BucketFile: Sendable {
    let path: String
    let hash: XetHash
    let size: Int
    /// As the uploader tells it.
    let modified: Date?
    let uploaded: Date
    /// As the uploader tells it.
    let contentType: String?
}

extension BucketFile {
    init?(row: Row) {
        guard let hash = XetHash(text: row["hash"] as String) else { return nil }
        self.init(
            path: row["path"], hash: hash, size: row["size"],
            modified: (row["mtime"] as Double?).map { Date(timeIntervalSince1970: $0) },
            uploaded: Date(timeIntervalSince1970: row["uploaded"]), contentType: row["contentType"])
    }
}
