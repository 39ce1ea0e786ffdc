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
    /// Bytes of disk of everything in the folder.
    private(set) var usedBytes: UInt64 = 0

    /// Looks at every file of the folder; about 2 µs each.
    init(_ folder: CacheFolder) throws(CacheError) {
        do throws(Errno) {
            for name in try Folder.names(in: folder.root) where name != "contents" {
                usedBytes += try Self.diskBytes(folder.root.appending(name))
            }
            for shard in try Folder.names(in: folder.contents) {
                try survey(folder.contents.appending(shard))
            }
        } catch {
            throw .disk(error, path: folder.root.string)
        }
    }

    private mutating func survey(_ shard: FilePath) throws(Errno) {
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

extension SpaceLedger {
    /// A ledger that starts with what lies in the folder now.
    convenience init(
        measuring folder: CacheFolder, _ configuration: CacheConfiguration
    ) throws(CacheError) {
        let survey = try SpaceSurvey(folder)
        let available: UInt64
        do throws(Errno) {
            available = try FileSystemFacts(of: folder.root).availableBytes
        } catch {
            throw .disk(error, path: folder.root.string)
        }
        self.init(
            limitBytes: configuration.sizeLimitBytes ?? (available + survey.usedBytes) / 5 * 4,
            floorBytes: configuration.freeFloorBytes, usedBytes: survey.usedBytes,
            availableBytes: available)
    }
}
