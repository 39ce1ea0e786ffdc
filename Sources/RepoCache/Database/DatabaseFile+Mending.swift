import GRDB
import Glibc
import Platform
import SystemPackage

extension DatabaseFile {
    /// Looks at every page of the cache's databases and removes those that are damaged, so that they are
    /// made anew. What was in them is asked for or fetched again.
    ///
    /// A database must not be removed under a process that uses it (sqlite.org, "How to corrupt an SQLite
    /// database file"): so nobody else may have the cache open then.
    ///
    /// - Returns: the names of those removed.
    static func removeDamaged(in folder: CacheFolder) throws(CacheError) -> [String] {
        var removed: [String] = []
        for path in [folder.database, folder.smallDatabase] {
            guard isDamaged(path) else { continue }
            guard try remove(path, in: folder) else {
                throw .database(
                    "\(path) is damaged and a mount uses it: unmount, then verify again")
            }
            removed.append(path.lastComponent?.string ?? path.string)
        }
        return removed
    }

    /// - Returns: false when somebody has the cache open.
    private static func remove(_ path: FilePath, in folder: CacheFolder) throws(CacheError) -> Bool
    {
        do throws(Errno) {
            guard let turn = try SharedCount.takeAlone(in: folder) else { return false }
            defer { try? turn.close() }
            for suffix in ["", "-wal", "-shm"] {
                try Folder.unlink(FilePath(path.string + suffix))
            }
            return true
        } catch {
            throw .disk(error, path: path.string)
        }
    }

    private static func isDamaged(_ path: FilePath) -> Bool {
        guard let status = try? Folder.status(path), status.st_size > 0 else { return false }
        do {
            let queue = try DatabaseQueue(path: path.string)
            defer { try? queue.close() }
            return try queue.read { database in
                try String.fetchAll(database, sql: "PRAGMA quick_check(1)") != ["ok"]
            }
        } catch {
            return (error as? DatabaseError).map { isDamage($0) } ?? false
        }
    }
}
