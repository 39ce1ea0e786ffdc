import Glibc
import HubClient
import Platform
import SystemPackage

/// What lies in the cache folder, as the file system counts it.
struct SpaceSurvey {
    /// A content's two files.
    struct Item {
        let hex: String
        /// Bytes of disk both occupy.
        var diskBytes: UInt64
    }

    private(set) var items: [Item] = []
    /// Bytes of disk of everything in the folder, as `du` counts them.
    private(set) var usedBytes: UInt64 = 0
    /// Bytes of disk of each database's log.
    private var logBytes: [UInt64] = []

    /// Looks at every file of the folder; about 2 µs each.
    init(_ folder: CacheFolder) throws(CacheError) {
        do throws(Errno) {
            usedBytes += try Self.diskBytes(folder.root)
            for name in try Folder.names(in: folder.root) {
                let bytes = try Self.diskBytes(folder.root.appending(name))
                usedBytes += bytes
                if name.hasSuffix("-wal") { logBytes.append(bytes) }
            }
            for shard in try Folder.names(in: folder.contents) {
                try survey(folder.contents.appending(shard))
            }
        } catch {
            throw .disk(error, path: folder.root.string)
        }
    }

    /// What counts against the limit, which keeps room for logs of at most `logBytesMax`: what a log takes
    /// above that counts twice, since it is going to be moved into its database.
    func countedBytes(logBytesMax: Int) -> UInt64 {
        logBytes.reduce(usedBytes) { sum, log in
            log <= logBytesMax ? sum - log : sum + log - 2 * UInt64(logBytesMax)
        }
    }

    private mutating func survey(_ shard: FilePath) throws(Errno) {
        usedBytes += try Self.diskBytes(shard)
        var found: [String: UInt64] = [:]
        for name in try Folder.names(in: shard) {
            let hex = name.hasSuffix(".map") ? String(name.dropLast(4)) : name
            found[hex, default: 0] += try Self.diskBytes(shard.appending(name))
        }
        for (hex, bytes) in found {
            items.append(Item(hex: hex, diskBytes: bytes))
            usedBytes += bytes
        }
    }

    /// Bytes of disk of a file; 0 when it has gone.
    private static func diskBytes(_ path: FilePath) throws(Errno) -> UInt64 {
        UInt64(try Folder.status(path)?.st_blocks ?? 0) * 512
    }
}
