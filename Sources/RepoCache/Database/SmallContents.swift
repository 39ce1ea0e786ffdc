import FoundationEssentials
import GRDB
import HubClient
import Logging
import Platform
import SystemPackage

/// Contents below 64 KiB: rows of small.db, and those used lately in memory.
///
/// A file for each would limit small contents to about 1200 a second (file creation, measured);
/// rows written many to a transaction do not. Only verified contents come here.
final class SmallContents: Sendable {
    /// Contents of this size and more are files.
    static let sizeMax = BlockGeometry.blockBytes

    private static let tables = """
        CREATE TABLE small_content (
            hex TEXT PRIMARY KEY,      -- name of the content
            last_use INTEGER NOT NULL, -- seconds since 1970
            bytes BLOB NOT NULL        -- all of them, verified before they were stored
        );
        """

    private struct State {
        var recent: RecentlyUsed<String, [UInt8]>
        /// Not yet in a row. Invariant: bounded by `unwrittenBytesMax`.
        var unwritten: [String: [UInt8]] = [:]
        var unwrittenBytes = 0
        var isWriting = false
    }

    private static let unwrittenBytesMax = 16 << 20
    /// Adopted bytes that may wait for their row: they come faster than rows are written.
    private static let unwrittenAdoptedBytesMax = 1 << 20

    let file: DatabaseFile
    private let worker: Worker
    private let logger: Logger
    private let state: Guarded<State>
    /// Told of rows that were written.
    private let written = Monitor(())

    init(in folder: CacheFolder, memoryBytesMax: Int, worker: Worker, logger: Logger)
        throws(CacheError)
    {
        file = try DatabaseFile(
            folder.smallDatabase, version: 1, createTables: Self.tables, setupLock: folder.setupLock
        )
        self.worker = worker
        self.logger = logger
        state = Guarded(
            State(recent: RecentlyUsed(byteCountMax: memoryBytesMax)), rank: .leaf)
    }

    /// The bytes of a content, from memory or its row.
    ///
    /// Reads the database on the calling thread: local disk, as a `pread` would be.
    func bytes(of content: ContentID) -> [UInt8]? {
        let hex = content.hex
        if let bytes = state.withLock({ $0.recent.value(of: hex) ?? $0.unwritten[hex] }) {
            return bytes
        }
        guard let bytes = row(hex) else { return nil }
        state.withLock { $0.recent.insert(bytes, byteCount: bytes.count, for: hex) }
        return bytes
    }

    /// Whether a content is here, in memory or as a row.
    func holds(_ content: ContentID) -> Bool {
        if isInMemory(content) { return true }
        let found = try? file.read { database in
            try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM small_content WHERE hex = ?)",
                arguments: [content.hex])
        }
        return found == true
    }

    /// Whether the bytes of a content are in memory; never waits.
    func isInMemory(_ content: ContentID) -> Bool {
        let hex = content.hex
        return state.withLock { $0.recent.value(of: hex) != nil || $0.unwritten[hex] != nil }
    }

    /// Keeps a verified content: in memory at once, in a row soon.
    ///
    /// - Returns: false when it is in memory only, for as long as there is room.
    @discardableResult
    func insert(_ bytes: [UInt8], for content: ContentID, writes: Bool) -> Bool {
        let hex = content.hex
        let (isQueued, mustStart) = state.withLock { state in
            state.recent.insert(bytes, byteCount: bytes.count, for: hex)
            guard writes, state.unwrittenBytes + bytes.count <= Self.unwrittenBytesMax else {
                return (false, false)
            }
            state.unwrittenBytes += bytes.count - (state.unwritten[hex]?.count ?? 0)
            state.unwritten[hex] = bytes
            defer { state.isWriting = true }
            return (true, !state.isWriting)
        }
        guard mustStart else { return isQueued }
        return worker.submit { self.writeRows() }
    }

    /// Keeps a verified content that nobody has asked for: in a row, not in memory. Waits for the
    /// rows when they are written more slowly than contents come.
    func adopt(_ bytes: [UInt8], for content: ContentID) {
        let hex = content.hex
        let (mustStart, mustWait) = state.withLock { state in
            state.unwrittenBytes += bytes.count - (state.unwritten[hex]?.count ?? 0)
            state.unwritten[hex] = bytes
            defer { state.isWriting = true }
            return (!state.isWriting, state.unwrittenBytes > Self.unwrittenAdoptedBytesMax)
        }
        if mustStart, !worker.submit({ self.writeRows() }) { return writeRows() }
        guard mustWait else { return }
        _ = written.wait { _ in
            state.withLock { $0.unwrittenBytes <= Self.unwrittenAdoptedBytesMax } ? true : nil
        }
    }

    /// Notes the last use of contents.
    func note(_ contents: [ContentID], at seconds: Int64) throws(CacheError) {
        try file.write { database in
            for content in contents {
                try database.execute(
                    sql: "UPDATE small_content SET last_use = ? WHERE hex = ?",
                    arguments: [seconds, content.hex])
            }
        }
    }

    /// A row, without its bytes.
    struct RowUse: Sendable {
        let hex: String
        let size: UInt64
        let lastUse: Int64
    }

    /// Every row, least recently used first.
    func rowUses() throws(CacheError) -> [RowUse] {
        try file.read { database in
            try Row.fetchAll(
                database,
                sql:
                    "SELECT hex, length(bytes) AS size, last_use FROM small_content ORDER BY last_use"
            ).map {
                RowUse(hex: $0["hex"], size: UInt64($0["size"] as Int64), lastUse: $0["last_use"])
            }
        }
    }

    /// Forgets contents, in memory and as rows.
    func remove(_ hexes: [String]) throws(CacheError) {
        state.withLock { state in
            for hex in hexes {
                state.recent.remove(hex)
                state.unwrittenBytes -= state.unwritten.removeValue(forKey: hex)?.count ?? 0
            }
        }
        try file.write { database in
            for hex in hexes {
                try database.execute(
                    sql: "DELETE FROM small_content WHERE hex = ?", arguments: [hex])
            }
        }
    }

    /// Shrinks the file when more than half of it is free.
    func giveBackFreePages() throws(CacheError) {
        let isWorthIt = try file.read { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            let free = try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
            return free > pages / 2 && free > 64
        }
        if isWorthIt { try file.vacuum() }
    }

    /// The bytes of a row, past the memory; for verification.
    func row(_ hex: String) -> [UInt8]? {
        do throws(CacheError) {
            return try file.read { database in
                try Row.fetchOne(
                    database, sql: "SELECT bytes FROM small_content WHERE hex = ?",
                    arguments: [hex]
                )?.bytes("bytes")
            }
        } catch {
            logger.error("small content \(hex) cannot be read: \(error)")
            return nil
        }
    }

    /// Writes what waits, as one transaction at a time, until nothing does.
    private func writeRows() {
        while true {
            let rows = state.withLock { state in
                if state.unwritten.isEmpty { state.isWriting = false }
                return state.unwritten
            }
            if rows.isEmpty { return }
            do throws(CacheError) {
                let seconds = secondsSince1970()
                try file.write { database in
                    for (hex, bytes) in rows {
                        let insert = try database.cachedStatement(
                            sql: "INSERT OR REPLACE INTO small_content VALUES (?, ?, ?)")
                        try insert.execute(arguments: [hex, seconds, Data(bytes)])
                    }
                }
            } catch {
                logger.warning("\(rows.count) small contents are not kept: \(error)")
            }
            state.withLock { state in
                for hex in rows.keys {
                    state.unwrittenBytes -= state.unwritten.removeValue(forKey: hex)?.count ?? 0
                }
            }
            written.update { _ in }
        }
    }
}
