import FoundationEssentials
import GRDB
import HubClient
import SystemPackage

/// cache.db: snapshots, directory listings, and what is known of contents besides their bytes.
struct CacheDatabase: Sendable {
    private static let version = 2
    /// More than the rows of one content take, with their part of indexes and pages.
    private static let rowBytes = 512
    /// Pages a change of one content touches: in both tables, and where one of them is split.
    private static let pagesEach = 3
    private static let snapshotTable = """
        -- What a revision named when it was last resolved.
        CREATE TABLE snapshot (
            endpoint TEXT NOT NULL,          -- the Hub that said so
            repo TEXT NOT NULL,              -- as asked for: models/ns/name
            revision TEXT NOT NULL,          -- as asked for
            canonical_name TEXT NOT NULL,    -- ns/name after redirects
            commit_oid TEXT NOT NULL,
            commit_date_ns INTEGER NOT NULL, -- nanoseconds since 1970
            PRIMARY KEY (endpoint, repo, revision)
        ) WITHOUT ROWID;
        """
    /// Version 1 did not know which Hub had told of a revision: what it remembered is asked for anew.
    private static let upgrades = [1: "DROP TABLE snapshot;" + snapshotTable]
    private static let tables = """
        \(snapshotTable)
        -- Directories by tree oid, or by commit and path where the tree oid is not known.
        CREATE TABLE listing (
            key TEXT PRIMARY KEY,            -- ListingKey.text
            byte_count INTEGER NOT NULL,     -- length of entries
            stored_at INTEGER NOT NULL,      -- seconds since 1970
            entries BLOB NOT NULL            -- DirectoryListing
        );
        -- When contents were last opened. Rows may be missing or left over: files are the truth.
        CREATE TABLE content (
            hex TEXT PRIMARY KEY,
            size INTEGER NOT NULL,           -- bytes
            last_use INTEGER NOT NULL        -- seconds since 1970
        ) WITHOUT ROWID;
        -- Where contents were met, for people who list the cache.
        CREATE TABLE content_path (
            hex TEXT NOT NULL,
            repo TEXT NOT NULL,              -- models/ns/name
            path TEXT NOT NULL,              -- from the root of the repo
            PRIMARY KEY (hex, repo, path)
        ) WITHOUT ROWID;
        """
    private static let addedTables = """
        -- Not a reason for a new version: who does not know these tables does without.
        -- What hashing files of the official client's cache has found.
        CREATE TABLE IF NOT EXISTS lower_file (
            hex TEXT PRIMARY KEY,
            identity TEXT NOT NULL,          -- LowerFile.identity of the file that was hashed
            is_right INTEGER NOT NULL        -- 1 when its bytes are those of the name
        ) WITHOUT ROWID;
        -- In which order the files of commits were first read.
        CREATE TABLE IF NOT EXISTS read_order (
            repo TEXT NOT NULL,              -- models/ns/name
            commit_oid TEXT NOT NULL,
            used_at INTEGER NOT NULL,        -- seconds since 1970
            byte_count INTEGER NOT NULL,     -- length of ranges
            ranges BLOB NOT NULL,            -- ReadOrder.text
            PRIMARY KEY (repo, commit_oid)
        );
        \(chunkTables)
        \(sentTables)
        """

    let file: DatabaseFile

    /// - Parameter ledger: Counts what is written; nil where nothing grows.
    init(in folder: CacheFolder, ledger: SpaceLedger? = nil) throws(CacheError) {
        file = try DatabaseFile(
            folder.database, version: Self.version, createTables: Self.tables,
            upgrades: Self.upgrades, addTables: Self.addedTables, setupLock: folder.setupLock,
            ledger: ledger)
    }

    // MARK: Snapshots

    /// - Parameter endpoint: The Hub that was asked.
    func snapshot(
        _ repo: RepoID, _ revision: Revision, of endpoint: String
    ) throws(CacheError) -> RepoSnapshot? {
        try file.read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT canonical_name, commit_oid, commit_date_ns FROM snapshot
                    WHERE endpoint = ? AND repo = ? AND revision = ?
                    """, arguments: [endpoint, repo.description, revision.name])
            guard let row, let commit = CommitOID(hex: row["commit_oid"] as String) else {
                return nil
            }
            return RepoSnapshot(
                repo: RepoID(kind: repo.kind, name: row["canonical_name"]), commit: commit,
                commitDateNanoseconds: row["commit_date_ns"])
        }
    }

    /// Whether a commit of any repo of an account is remembered.
    func knows(_ kind: RepoKind, of author: String, at endpoint: String) throws(CacheError) -> Bool
    {
        let prefix = RepoID(kind: kind, name: author).description
        return try file.read { database in
            // "0" is what comes after "/".
            try Bool.fetchOne(
                database,
                sql: """
                    SELECT EXISTS (
                        SELECT 1 FROM snapshot WHERE endpoint = ? AND repo > ? AND repo < ?)
                    """, arguments: [endpoint, prefix + "/", prefix + "0"]) ?? false
        }
    }

    /// Remembers what a revision names; the commit itself is remembered as a revision too.
    func remember(
        _ snapshot: RepoSnapshot, as repo: RepoID, _ revision: Revision, of endpoint: String
    ) throws(CacheError) {
        try file.write { database in
            for (repo, name) in [
                (repo, revision.name), (repo, snapshot.commit.hex),
                (snapshot.repo, snapshot.commit.hex),
            ] {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?, ?)",
                    arguments: [
                        endpoint, repo.description, name, snapshot.repo.name, snapshot.commit.hex,
                        snapshot.commitDateNanoseconds,
                    ])
            }
        }
    }

    // MARK: Listings

    func listing(_ key: ListingKey) throws(CacheError) -> DirectoryListing? {
        try file.read { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT entries FROM listing WHERE key = ?", arguments: [key.text])
            return row.flatMap { DirectoryListing(stored: $0.bytes("entries")) }
        }
    }

    /// Stores directories and drops the oldest ones beyond `byteCountMax`.
    func store(
        _ listings: [(key: ListingKey, listing: DirectoryListing)], byteCountMax: Int64,
        at seconds: Int64
    ) throws(CacheError) {
        let bytes = listings.reduce(0) { $0 + $1.listing.bytes.count + Self.rowBytes }
        // Once into the log and once into the file.
        try file.write(charging: 2 * bytes) { database in
            for (key, listing) in listings {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO listing VALUES (?, ?, ?, ?)",
                    arguments: [key.text, listing.bytes.count, seconds, Data(listing.bytes)])
            }
            var excess =
                (try Int64.fetchOne(database, sql: "SELECT sum(byte_count) FROM listing") ?? 0)
                - byteCountMax
            while excess > 0,
                let oldest = try Row.fetchOne(
                    database,
                    sql: "SELECT key, byte_count FROM listing ORDER BY stored_at LIMIT 1")
            {
                try database.execute(
                    sql: "DELETE FROM listing WHERE key = ?",
                    arguments: [oldest["key"] as String])
                excess -= oldest["byte_count"] as Int64
            }
        }
    }

    // MARK: Contents

    /// What is known of contents that were opened.
    struct ContentUse: Sendable {
        let hex: String
        let size: UInt64
        /// Seconds since 1970.
        let lastUse: Int64
    }

    /// Notes the last use of contents and where they were met.
    func note(_ uses: [ContentLocation], at seconds: Int64) throws(CacheError) {
        try file.charging(uses.count * Self.rowBytes) { () throws(CacheError) in
            try file.write(each: uses, pagesEach: Self.pagesEach) { database, use in
                let hex = use.content.hex
                try database.cachedStatement(
                    sql: "INSERT OR REPLACE INTO content VALUES (?, ?, ?)"
                ).execute(arguments: [hex, Int64(use.size), seconds])
                try database.cachedStatement(
                    sql: "INSERT OR IGNORE INTO content_path VALUES (?, ?, ?)"
                ).execute(arguments: [hex, use.repo.description, use.path])
            }
        }
    }

    /// Every content row, least recently used first.
    func contentUses() throws(CacheError) -> [ContentUse] {
        try file.read { database in
            try Row.fetchAll(
                database, sql: "SELECT hex, size, last_use FROM content ORDER BY last_use"
            ).map {
                ContentUse(
                    hex: $0["hex"], size: UInt64($0["size"] as Int64), lastUse: $0["last_use"])
            }
        }
    }

    /// Where contents were met: `repo/path` texts by hexadecimal name.
    func contentPaths() throws(CacheError) -> [String: [CachedPath]] {
        try file.read { database in
            var paths: [String: [CachedPath]] = [:]
            let rows = try Row.fetchCursor(
                database, sql: "SELECT hex, repo, path FROM content_path ORDER BY repo, path")
            while let row = try rows.next() {
                paths[row["hex"], default: []].append(
                    CachedPath(repo: row["repo"], path: row["path"]))
            }
            return paths
        }
    }

    // MARK: The official client's cache

    func lowerFiles() throws(CacheError) -> [LowerFileRow] {
        try file.read { database in
            try Row.fetchAll(database, sql: "SELECT hex, identity, is_right FROM lower_file").map {
                LowerFileRow(hex: $0["hex"], identity: $0["identity"], isRight: $0["is_right"])
            }
        }
    }

    func note(_ row: LowerFileRow) throws(CacheError) {
        try file.write(charging: Self.rowBytes) { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO lower_file VALUES (?, ?, ?)",
                arguments: [row.hex, row.identity, row.isRight])
        }
    }

    // MARK: Contents that are gone

    /// Forgets contents that were removed.
    func forget(_ hexes: [String]) throws(CacheError) {
        try file.write(each: hexes, pagesEach: Self.pagesEach) { database, hex in
            try database.execute(sql: "DELETE FROM content WHERE hex = ?", arguments: [hex])
            try database.execute(
                sql: "DELETE FROM content_path WHERE hex = ?", arguments: [hex])
        }
    }
}
