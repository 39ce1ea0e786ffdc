import FoundationEssentials
import GRDB
import Platform
import SystemPackage

/// An SQLite file of the cache: opened once per process, shared by several.
///
/// WAL mode: readers never wait for a writer, and a writer waits for another process's writer for
/// as long as `busySeconds`. synchronous=NORMAL: after a power cut the last transactions may be
/// missing, which a cache can bear; the file stays sound.
struct DatabaseFile: Sendable {
    static let busySeconds = 10.0

    let pool: DatabasePool

    /// Opens the file and brings it to `version` of its tables, starting anew when it is damaged.
    ///
    /// - Parameters:
    ///   - version: What `user_version` says after `createTables`.
    ///   - createTables: SQL that makes the tables in an empty file.
    init(
        _ path: FilePath, version: Int, createTables: String, setupLock: FilePath
    ) throws(CacheError) {
        // Turning WAL on and making tables are not safe against another process doing the same.
        let lock: FileDescriptor
        do throws(Errno) {
            lock = try openForUpdate(setupLock, creates: true)
            _ = try lock.lock(.exclusive, waits: true)
        } catch {
            throw .disk(error, path: setupLock.string)
        }
        defer { try? lock.close() }
        do {
            pool = try Self.open(path, version: version, createTables: createTables)
        } catch CacheError.unknownFormat(let path, let version) {
            throw .unknownFormat(path: path, version: version)
        } catch let error as DatabaseError where Self.isDamage(error) {
            for suffix in ["", "-wal", "-shm"] {
                _ = try? Folder.unlink(FilePath(path.string + suffix))
            }
            pool = try translating { () throws -> DatabasePool in
                try Self.open(path, version: version, createTables: createTables)
            }
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
        try translating { try pool.write(body) }
    }

    /// Writes the file anew without its free pages.
    func vacuum() throws(CacheError) {
        try translating {
            try pool.vacuum()
            try pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        }
    }

    func close() {
        // Fails only while a statement runs; the process's end closes the file just as well.
        try? pool.close()
    }

    private static func open(
        _ path: FilePath, version: Int, createTables: String
    ) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.busyMode = .timeout(busySeconds)
        configuration.maximumReaderCount = 3
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -512")
        }
        let pool = try DatabasePool(path: path.string, configuration: configuration)
        try pool.write { database in
            let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            if found == version { return }
            guard found == 0 else {
                throw CacheError.unknownFormat(path: path.string, version: found)
            }
            try database.execute(sql: createTables)
            try database.execute(sql: "PRAGMA user_version = \(version)")
        }
        return pool
    }

    private static func isDamage(_ error: DatabaseError) -> Bool {
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
