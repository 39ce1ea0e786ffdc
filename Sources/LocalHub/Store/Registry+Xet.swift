import Foundation
import GRDB
import XetCodec

/// The tables of the CAS.
extension Registry {
    // MARK: Xorbs

    func xorb(_ hash: XetHash) throws -> XorbIndex? {
        try pool.read { database in
            try Data.fetchOne(
                database, sql: "SELECT chunks FROM xorb WHERE hash = ?", arguments: [hash.text]
            ).map(XorbIndex.init(encoded:))
        }
    }

    /// - Returns: whether it is new.
    func insert(_ xorb: XorbIndex, as hash: XetHash) throws -> Bool {
        try pool.write { database in
            try database.execute(
                sql: "INSERT OR IGNORE INTO xorb VALUES (?, ?)",
                arguments: [hash.text, xorb.encoded])
            return database.changesCount > 0
        }
    }

    // MARK: Files

    func xetFile(_ hash: XetHash) throws -> XetFile? {
        try pool.read { database in
            try Data.fetchOne(
                database, sql: "SELECT terms FROM xetFile WHERE hash = ?", arguments: [hash.text]
            ).map { XetFile(hash: hash, encodedTerms: $0) }
        }
    }

    /// A file and where it is known from.
    struct XetRegistration {
        let file: XetFile
        /// The SHA-256; nil for files of buckets.
        let oid: String?
        /// Chunks that queries are to find, and their xorbs.
        let chunks: [(hash: XetHash, xorb: XetHash)]
    }

    /// Makes files known, all or none.
    ///
    /// - Parameter repo: whose they are.
    /// - Returns: whether any of them is new there.
    @discardableResult
    func register(_ files: [XetRegistration], in repo: RepoRecord) throws -> Bool {
        try pool.write { database in
            var isNew = false
            for entry in files {
                try Self.insert(entry, database)
                guard let oid = entry.oid else { continue }
                try database.execute(
                    sql: "INSERT OR IGNORE INTO xetObject VALUES (?, ?, ?, ?)",
                    arguments: [
                        repo.id, oid, entry.file.hash.text, Date().timeIntervalSince1970,
                    ])
                if database.changesCount > 0 { isNew = true }
            }
            return isNew
        }
    }

    private static func insert(_ entry: XetRegistration, _ database: Database) throws {
        try database.execute(
            sql: "INSERT OR IGNORE INTO xetFile VALUES (?, ?, ?)",
            arguments: [entry.file.hash.text, entry.file.size, entry.file.encodedTerms])
        for chunk in entry.chunks {
            try database.execute(
                sql: "INSERT OR IGNORE INTO xetChunk VALUES (?, ?)",
                arguments: [chunk.hash.text, chunk.xorb.text])
        }
    }

    // MARK: What repos have

    /// The files of these SHA-256 sums, as far as the repo has them in Xet's form.
    func xetHashes(of oids: [String], in repo: RepoRecord) throws -> [String: XetHash] {
        guard !oids.isEmpty else { return [:] }
        return try pool.read { database in
            let statement = try database.cachedStatement(
                sql: "SELECT hash FROM xetObject WHERE repo = ? AND oid = ?")
            var found: [String: XetHash] = [:]
            for oid in oids {
                let text = try String.fetchOne(statement, arguments: [repo.id, oid])
                found[oid] = text.flatMap { XetHash(text: $0) }
            }
            return found
        }
    }

    func hasXetFile(_ hash: XetHash, in repo: RepoRecord) throws -> Bool {
        try pool.read { database in
            try Bool.fetchOne(
                database,
                sql: "SELECT EXISTS (SELECT 1 FROM xetObject WHERE repo = ? AND hash = ?)",
                arguments: [repo.id, hash.text]) ?? false
        }
    }

    /// Objects the repo has in Xet's form, in the order of their oids.
    func xetObjects(in repo: RepoRecord) throws -> [(oid: String, size: Int, stored: Date)] {
        try pool.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT oid, size, created FROM xetObject JOIN xetFile USING (hash)
                    WHERE repo = ? ORDER BY oid
                    """,
                arguments: [repo.id]
            ).map { ($0["oid"], $0["size"], Date(timeIntervalSince1970: $0["created"])) }
        }
    }

    /// The repo has the object no more.
    func forgetXetObject(_ oid: String, in repo: RepoRecord) throws {
        try pool.write { database in
            try database.execute(
                sql: "DELETE FROM xetObject WHERE repo = ? AND oid = ?",
                arguments: [repo.id, oid])
        }
    }

    // MARK: Deduplication

    /// A xorb that has the chunk, if queries are to find it.
    func xorb(ofChunk hash: XetHash) throws -> XetHash? {
        try pool.read { database in
            try String.fetchOne(
                database, sql: "SELECT xorb FROM xetChunk WHERE hash = ?", arguments: [hash.text]
            ).flatMap { XetHash(text: $0) }
        }
    }
}
