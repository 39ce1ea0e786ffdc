import GRDB
import Platform
package import SystemPackage

/// The durable record of all edits of a workspace: one SQLite file, one order of changes.
///
/// A change is written before it shows in memory and before the program is answered. `write` costs
/// no disk flush: the change survives the end of this process, not a power cut. `writeDurably`
/// is the barrier: it puts this change, and every one before it, on disk.
///
/// SQLite's WAL is the log: transactions are in it in the order they were made, and a prefix of
/// them is what a power cut leaves. Source: sqlite.org/wal.html.
package final class Journal: Sendable {
    private let queue: DatabaseQueue
    private let path: FilePath
    private let numbers: Guarded<Numbers>

    private struct Numbers {
        var next: UInt64
        var reserved: UInt64
    }

    /// Numbers are reserved in blocks, so that most of them cost nothing.
    private static let numberBlock: UInt64 = 1 << 16

    /// Opens the journal, making it when it is missing.
    ///
    /// - Parameter path: Of the file; its folder must exist. Held by one process only.
    package init(at path: FilePath) throws(WriteBackError) {
        self.path = path
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { database in
                // What SQLite does not keep of the file, the system does, and takes back when memory
                // is short: a larger cache makes nothing here faster.
                try database.execute(
                    sql: """
                        PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                        PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -1024
                        """)
            }
            try Self.makePrivate(path)
            queue = try DatabaseQueue(path: path.string, configuration: configuration)
            let reserved = try queue.write { database in
                let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
                if found == 0 {
                    try database.execute(sql: JournalSchema.tables)
                    try database.execute(sql: "PRAGMA user_version = \(JournalSchema.version)")
                } else if found != JournalSchema.version {
                    throw WriteBackError.unknownFormat(path: path.string, version: found)
                }
                let text = try JournalTransaction(database: database).fact(.reservedNumber)
                return text.flatMap { UInt64($0) } ?? NodeNumber.root.value + 1
            }
            numbers = Guarded(Numbers(next: reserved, reserved: reserved), rank: .leaf)
        } catch let error as WriteBackError {
            throw error
        } catch {
            throw Self.translated(error, path)
        }
    }

    /// A number that was never given out in this workspace.
    package func takeNumber() throws(WriteBackError) -> UInt64 {
        let (number, mustReserve) = numbers.withLock { numbers in
            defer { numbers.next += 1 }
            return (numbers.next, numbers.next >= numbers.reserved)
        }
        if mustReserve {
            let reserved = number + Self.numberBlock
            try write { transaction in
                // Two threads can reserve at once and get here in either order.
                let known = try transaction.fact(.reservedNumber).flatMap { UInt64($0) } ?? 0
                if reserved > known { try transaction.set(.reservedNumber, String(reserved)) }
            }
            numbers.withLock { $0.reserved = max($0.reserved, reserved) }
        }
        return number
    }

    /// Makes a change that survives the end of this process.
    package func write(
        _ body: (borrowing JournalTransaction) throws -> Void
    ) throws(WriteBackError) {
        do {
            try queue.write { try body(JournalTransaction(database: $0)) }
        } catch {
            throw Self.translated(error, path)
        }
    }

    /// Makes a change that survives a power cut, together with every change before it.
    package func writeDurably(
        _ body: (borrowing JournalTransaction) throws -> Void
    ) throws(WriteBackError) {
        do {
            try queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = FULL")
                defer { try? database.execute(sql: "PRAGMA synchronous = NORMAL") }
                try database.inTransaction {
                    try body(JournalTransaction(database: database))
                    // A transaction that changes nothing is not written, so would not be a barrier.
                    try JournalTransaction(database: database).touchBarrier()
                    return .commit
                }
            }
        } catch {
            throw Self.translated(error, path)
        }
    }

    /// A single value, nil when it is not set.
    func value(_ fact: JournalFact) throws(WriteBackError) -> String? {
        do {
            return try queue.read { try JournalTransaction(database: $0).fact(fact) }
        } catch {
            throw Self.translated(error, path)
        }
    }

    /// Everything the journal holds.
    package func load() throws(WriteBackError) -> JournalContents {
        do {
            return try queue.read { try JournalTransaction(database: $0).contents(path) }
        } catch {
            throw Self.translated(error, path)
        }
    }

    /// Everything a journal holds that somebody else may have open: nothing of it is changed.
    static func look(at path: FilePath) throws(WriteBackError) -> JournalContents {
        do {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            let queue = try DatabaseQueue(path: path.string, configuration: configuration)
            defer { try? queue.close() }
            return try queue.read { database in
                let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
                guard version == JournalSchema.version else {
                    throw WriteBackError.unknownFormat(path: path.string, version: version)
                }
                return try JournalTransaction(database: database).contents(path)
            }
        } catch {
            throw translated(error, path)
        }
    }

    /// Moves the log into the main file and closes it.
    package func close() {
        try? queue.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        try? queue.close()
    }

    /// SQLite gives its log and index the permissions of the file it finds. Source:
    /// sqlite.org/tempfiles.html.
    private static func makePrivate(_ path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .readWrite, options: [.create, .closeOnExec, .noFollow],
            permissions: FilePermissions(rawValue: 0o600))
        try file.close()
    }

    private static func translated(_ error: any Error, _ path: FilePath) -> WriteBackError {
        if let error = error as? WriteBackError { return error }
        if let error = error as? DatabaseError, error.resultCode == .SQLITE_FULL { return .full }
        return .journal("\(path.lastComponent?.string ?? ""): \(error)")
    }
}
