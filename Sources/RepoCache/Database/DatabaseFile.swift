import FoundationEssentials
import GRDB
import Glibc
import Platform
import SystemPackage

/// An SQLite file of the cache: opened once per process, shared by several.
///
/// WAL mode: readers never wait for a writer, and a writer waits for another process's writer for
/// as long as `busySeconds`. synchronous=NORMAL: after a power cut the last transactions may be
/// missing, which a cache can bear; the file stays sound.
///
/// The cache's limit keeps room for each log, twice: for itself, and for what the file grows by when the log
/// is moved into it. So a log is kept small (`logBytesMax`): it is moved at a quarter of that, no transaction
/// is made larger than another quarter, and if readers have kept the log from beginning anew by the half,
/// a writer waits for them.
struct DatabaseFile: Sendable {
    static let busySeconds = 10.0
    private static let giveBackCountMax = 10_000

    let pool: DatabasePool
    /// Bytes the log takes at most, but for a single transaction that was charged for.
    private let logBytesMax: Int
    private let pageBytes: Int
    private let ledger: SpaceLedger?

    /// Opens the file and brings it to `version` of its tables, starting anew when it is damaged.
    ///
    /// - Parameters:
    ///   - version: What `user_version` says after `createTables`.
    ///   - createTables: SQL that makes the tables in an empty file.
    ///   - upgrades: SQL that makes a file of an earlier version, by that, one of `version`.
    ///   - addTables: SQL that adds what a file of the same version may lack.
    ///   - pageBytes: Size of a page of a file that is made.
    ///   - ledger: Where `write(charging:)` takes room; it also says how large the log may be.
    init(
        _ path: FilePath, version: Int, createTables: String, upgrades: [Int: String] = [:],
        addTables: String = "", pageBytes: Int = 4096, setupLock: FilePath,
        ledger: SpaceLedger? = nil
    ) throws(CacheError) {
        self.ledger = ledger
        self.pageBytes = pageBytes
        logBytesMax = ledger?.logBytesMax ?? SpaceLedger.logBytesLeast
        // Turning WAL on and making tables are not safe against another process doing the same.
        let lock: FileDescriptor
        do throws(Errno) {
            lock = try openForUpdate(setupLock, creates: true)
            _ = try lock.lock(.exclusive, waits: true)
        } catch {
            throw .disk(error, path: setupLock.string)
        }
        defer { try? lock.close() }
        func open() throws -> DatabasePool {
            try Self.open(
                path, version: version, createTables, upgrades, addTables, pageBytes: pageBytes,
                logBytesMax: ledger?.logBytesMax ?? SpaceLedger.logBytesLeast)
        }
        do {
            pool = try open()
        } catch CacheError.unknownFormat(let path, let version) {
            throw .unknownFormat(path: path, version: version)
        } catch let error as DatabaseError where Self.isDamage(error) {
            for suffix in ["", "-wal", "-shm"] {
                _ = try? Folder.unlink(FilePath(path.string + suffix))
            }
            pool = try translating(open)
        } catch {
            throw .database("\(error)")
        }
    }

    /// Reads in one snapshot of the file.
    func read<Value>(_ body: (Database) throws -> Value) throws(CacheError) -> Value {
        try translating { try pool.read(body) }
    }

    /// Changes the file in one transaction.
    func write<Value>(_ body: (Database) throws -> Value) throws(CacheError) -> Value {
        try translating {
            beginLogAnew()
            return try pool.write(body)
        }
    }

    /// Changes the file by many items, in as many transactions as keep the log small.
    ///
    /// - Parameter pagesEach: How many pages a change of one item touches.
    func write<Item>(
        each items: [Item], pagesEach: Int, _ body: (Database, Item) throws -> Void
    ) throws(CacheError) {
        let step = max(1, transactionPages / pagesEach)
        for start in stride(from: 0, to: items.count, by: step) {
            try write { database in
                for item in items[start..<min(start + step, items.count)] {
                    try body(database, item)
                }
            }
        }
    }

    /// Pages a transaction may touch.
    private var transactionPages: Int { logBytesMax / 4 / pageBytes }

    /// Bytes a transaction may write.
    var transactionBytesMax: Int { logBytesMax / 4 }

    /// Has `body` make the file grow, by about `bytes`.
    ///
    /// - Throws: `CacheError.disk` with `noSpace` when there is no room; nothing was changed.
    func charging<Value>(
        _ bytes: Int, _ body: () throws(CacheError) -> Value
    ) throws(CacheError) -> Value {
        guard let ledger else { return try body() }
        guard ledger.reserve(UInt64(bytes), for: .bookkeeping) else {
            throw .disk(.noSpace, path: pool.path)
        }
        defer { ledger.settle(UInt64(bytes)) }
        return try body()
    }

    /// The same for one transaction.
    func write<Value>(
        charging bytes: Int, _ body: (Database) throws -> Value
    ) throws(CacheError) -> Value {
        try charging(bytes) { () throws(CacheError) in try write(body) }
    }

    /// Gives free pages back to the disk, a part at a time: what moves goes through the log first, with the
    /// pages that lead to it.
    func giveBackFreePages() throws(CacheError) {
        let step = max(1, transactionPages / 4)
        try translating {
            for _ in 0..<Self.giveBackCountMax {
                beginLogAnew()
                let free = try pool.writeWithoutTransaction { database in
                    try database.execute(sql: "PRAGMA incremental_vacuum(\(step))")
                    return try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
                }
                if free == 0 { break }
            }
            // The file itself becomes shorter then.
            _ = pool.writeWithoutTransaction { try? $0.checkpoint(.truncate) }
        }
    }

    /// Length of the log now.
    var logBytes: Int {
        let log = try? Folder.status(FilePath(pool.path + "-wal"))
        return Int(log?.st_size ?? 0)
    }

    /// Empties a log that is half as large as it may be. Waits for readers, which are never long, and for
    /// another process that is moving the log: SQLite itself does not wait for that, and a slow disk
    /// would have everybody write on meanwhile.
    ///
    /// Source: sqlite3_wal_checkpoint_v2, "if any other process is running a checkpoint".
    private func beginLogAnew() {
        let deadline = MonotonicInstant.now.advanced(bySeconds: Self.busySeconds)
        while logBytes > logBytesMax / 2 {
            let isMoved = pool.writeWithoutTransaction { (try? $0.checkpoint(.truncate)) != nil }
            if isMoved || .now > deadline { return }
            usleep(Self.otherCheckpointMicroseconds)
        }
    }

    private static let otherCheckpointMicroseconds: UInt32 = 2000

    func close() {
        // Fails only while a statement runs; the process's end closes the file just as well.
        try? pool.close()
    }

    private static func open(
        _ path: FilePath, version: Int, _ createTables: String, _ upgrades: [Int: String],
        _ addTables: String, pageBytes: Int, logBytesMax: Int
    ) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.busyMode = .timeout(busySeconds)
        configuration.maximumReaderCount = 3
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA page_size = \(pageBytes)")
            // Only a file without pages takes it.
            if !database.configuration.readonly,
                try Int.fetchOne(database, sql: "PRAGMA page_count") == 0
            {
                try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            }
            try database.execute(
                sql: """
                    PRAGMA synchronous = NORMAL;
                    PRAGMA cache_size = -512;
                    PRAGMA journal_size_limit = \(logBytesMax);
                    PRAGMA wal_autocheckpoint = \(logBytesMax / 4 / pageBytes)
                    """)
        }
        let pool = try DatabasePool(path: path.string, configuration: configuration)
        try pool.write { database in
            let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            if found != version {
                guard let change = found == 0 ? createTables : upgrades[found] else {
                    throw CacheError.unknownFormat(path: path.string, version: found)
                }
                try database.execute(sql: change)
                try database.execute(sql: "PRAGMA user_version = \(version)")
            }
            try database.execute(sql: addTables)
        }
        return pool
    }

    static func isDamage(_ error: DatabaseError) -> Bool {
        error.resultCode == .SQLITE_NOTADB || error.resultCode == .SQLITE_CORRUPT
    }
}

/// Runs `body` and gives SQLite's errors the cache's type.
private func translating<Value>(_ body: () throws -> Value) throws(CacheError) -> Value {
    do {
        return try body()
    } catch let error as CacheError {
        throw error
    } catch {
        throw .database("\(error)")
    }
}

extension Row {
    /// A blob column as bytes; empty when it is null.
    func bytes(_ column: String) -> [UInt8] { [UInt8]((self[column] as Data?) ?? Data()) }
}
