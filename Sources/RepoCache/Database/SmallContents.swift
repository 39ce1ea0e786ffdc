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
    static let sizeMax = BlockGeometry.singleBlockBytesMax

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

    /// A content of some KiB is written as one page or a few instead of a dozen.
    private static let pageBytes = 16 << 10
    private static let unwrittenBytesMax = 16 << 20
    /// Pages a change of one row touches: its own, that of the index, and one that lists free or moved ones.
    private static let pagesEach = 3

    /// Bytes of disk to take for a row: at least what the file grows by. A row may leave nearly half
    /// of its page empty.
    static func chargedBytes(_ byteCount: Int) -> UInt64 {
        UInt64(byteCount + pageBytes / 2 + 1024)
    }

    /// Adopted bytes that may wait for their row: they come faster than rows are written.
    private static let unwrittenAdoptedBytesMax = 1 << 20

    private let opening: OpeningFile
    private let ledger: SpaceLedger?
    private let worker: Worker
    private let logger: Logger
    private let state: Guarded<State>
    /// Told of rows that were written.
    private let written = Monitor(())

    /// Begins to open the database: see `file`.
    ///
    /// - Parameter ledger: Where rows that are inserted have their room; nil where none are.
    init(
        in folder: CacheFolder, memoryBytesMax: Int, ledger: SpaceLedger? = nil, worker: Worker,
        logger: Logger
    ) {
        self.ledger = ledger
        opening = OpeningFile { () throws(CacheError) in
            try DatabaseFile(
                folder.smallDatabase, version: 1, createTables: Self.tables,
                pageBytes: Self.pageBytes, setupLock: folder.setupLock, ledger: ledger)
        }
        self.worker = worker
        self.logger = logger
        state = Guarded(
            State(recent: RecentlyUsed(byteCountMax: memoryBytesMax)), rank: .leaf)
    }

    /// The database, which whoever comes first waits for.
    ///
    /// - Throws: what opening it has thrown. Without it, contents are in memory alone.
    var file: DatabaseFile { get throws(CacheError) { try opening.file } }

    /// The bytes of a content, from memory or its row.
    ///
    /// Reads the database on the calling thread: local disk, as a `pread` would be.
    func bytes(of content: ContentID) -> [UInt8]? {
        if let bytes = bytesInMemory(of: content) { return bytes }
        let hex = content.hex
        guard let bytes = row(hex) else { return nil }
        state.withLock { $0.recent.insert(bytes, byteCount: bytes.count, for: hex) }
        return bytes
    }

    /// The bytes of a content that is in memory; never waits.
    func bytesInMemory(of content: ContentID) -> [UInt8]? {
        let hex = content.hex
        return state.withLock { $0.recent.value(of: hex) ?? $0.unwritten[hex] }
    }

    /// Bytes of contents that wait for their rows.
    var unwrittenBytes: Int { state.withLock { $0.unwrittenBytes } }

    /// Contents in memory, those that wait to be written included.
    var memory: CacheFigures.Budget {
        state.withLock { state in
            CacheFigures.Budget(
                usedBytes: UInt64(state.recent.byteCount + state.unwrittenBytes),
                limitBytes: UInt64(state.recent.byteCountMax + Self.unwrittenBytesMax))
        }
    }

    /// Whether a content has a row, or is about to have one.
    func holds(_ content: ContentID) -> Bool {
        let hex = content.hex
        if state.withLock({ $0.unwritten[hex] != nil }) { return true }
        let found = try? file.read { database in
            let exists = try database.cachedStatement(
                sql: "SELECT EXISTS (SELECT 1 FROM small_content WHERE hex = ?)")
            return try Bool.fetchOne(exists, arguments: [content.hex])
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
    /// - Parameter writes: Room was reserved for the row: `chargedBytes`. It is settled here. Without
    ///   it the content is in memory only.
    func insert(_ bytes: [UInt8], for content: ContentID, writes: Bool) {
        let hex = content.hex
        let (isQueued, mustStart) = state.withLock { state in
            state.recent.insert(bytes, byteCount: bytes.count, for: hex)
            guard writes, state.unwritten[hex] == nil,
                state.unwrittenBytes + bytes.count <= Self.unwrittenBytesMax
            else { return (false, false) }
            state.unwrittenBytes += bytes.count
            state.unwritten[hex] = bytes
            defer { state.isWriting = true }
            return (true, !state.isWriting)
        }
        if writes, !isQueued { ledger?.settle(Self.chargedBytes(bytes.count)) }
        if mustStart { _ = worker.submit { self.writeRows() } }
    }

    /// Keeps a verified content that nobody has asked for: in a row, not in memory. Waits for the
    /// rows when they are written more slowly than contents come.
    func adopt(_ bytes: [UInt8], for content: ContentID) {
        let hex = content.hex
        guard ledger?.reserve(Self.chargedBytes(bytes.count)) ?? true else { return }
        let (isQueued, mustStart, mustWait) = state.withLock { state in
            guard state.unwritten[hex] == nil else { return (false, false, false) }
            state.unwrittenBytes += bytes.count
            state.unwritten[hex] = bytes
            defer { state.isWriting = true }
            return (true, !state.isWriting, state.unwrittenBytes > Self.unwrittenAdoptedBytesMax)
        }
        guard isQueued else {
            ledger?.settle(Self.chargedBytes(bytes.count))
            return
        }
        if mustStart, !worker.submit({ self.writeRows() }) { return writeRows() }
        guard mustWait else { return }
        _ = written.wait { _ in
            state.withLock { $0.unwrittenBytes <= Self.unwrittenAdoptedBytesMax } ? true : nil
        }
    }

    /// Notes the last use of contents.
    func note(_ contents: [ContentID], at seconds: Int64) throws(CacheError) {
        try file.write(each: contents, pagesEach: Self.pagesEach) { database, content in
            let update = try database.cachedStatement(
                sql: "UPDATE small_content SET last_use = ? WHERE hex = ?")
            try update.execute(arguments: [seconds, content.hex])
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
            for hex in hexes { state.recent.remove(hex) }
        }
        unqueue(hexes)
        try file.write(each: hexes, pagesEach: Self.pagesEach) { database, hex in
            let delete = try database.cachedStatement(
                sql: "DELETE FROM small_content WHERE hex = ?")
            try delete.execute(arguments: [hex])
        }
    }

    /// Shrinks the file by the pages that removed rows have left.
    func giveBackFreePages() throws(CacheError) { try file.giveBackFreePages() }

    /// The bytes of a row, past the memory; for verification.
    func row(_ hex: String) -> [UInt8]? {
        do throws(CacheError) {
            return try file.read { database in
                let select = try database.cachedStatement(
                    sql: "SELECT bytes FROM small_content WHERE hex = ?")
                return try Row.fetchOne(select, arguments: [hex])?.bytes("bytes")
            }
        } catch {
            logger.error("small content \(hex) cannot be read: \(error)")
            return nil
        }
    }

    /// Writes what waits, as one transaction at a time, until nothing does.
    private func writeRows() {
        while true {
            let bytesMax = (try? file)?.transactionBytesMax ?? .max
            let rows = state.withLock { state in
                if state.unwritten.isEmpty { state.isWriting = false }
                var left = Int64(bytesMax)
                return state.unwritten.prefix { row in
                    defer { left -= Int64(Self.chargedBytes(row.value.count)) }
                    return left > 0
                }
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
            unqueue(rows.map(\.key))
            written.update { _ in }
        }
    }

    /// Takes contents out of those that wait for a row, and settles what was reserved for them.
    private func unqueue(_ hexes: some Sequence<String>) {
        let taken = state.withLock { state in
            let taken = hexes.compactMap { state.unwritten.removeValue(forKey: $0)?.count }
            state.unwrittenBytes -= taken.reduce(0, +)
            return taken
        }
        for byteCount in taken { ledger?.settle(Self.chargedBytes(byteCount)) }
    }
}
