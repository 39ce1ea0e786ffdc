package import HubClient
package import Logging
import Platform
package import SystemPackage

/// A path under which a content was met.
package struct CachedPath: Hashable, Sendable {
    /// `models/ns/name`.
    package let repo: String
    /// From the root of the repo.
    package let path: String
}

/// What `hubfs cache ls` says of one content.
package struct CachedContent: Sendable {
    package let content: ContentID
    /// Bytes of the content.
    package let size: UInt64
    /// How many of them are here.
    package let presentBytes: UInt64
    /// Bytes of disk they occupy, the sidecar included; for small contents, the bytes of the row.
    package let diskBytes: UInt64
    /// Seconds since 1970; nil when it was never noted.
    package let lastUse: Int64?
    /// Whole and verified.
    package let isSealed: Bool
    package let paths: [CachedPath]
}

/// Looks after a cache folder from outside of a mount: lists, removes and scrubs.
///
/// Works beside running mounts; contents they have open are never removed.
package final class CacheInventory: Sendable {
    /// What `remove` did.
    package struct Removal: Hashable, Sendable {
        package var removedCount = 0
        package var freedBytes: UInt64 = 0
        /// Left because a mount has them open.
        package var inUse: [ContentID] = []

        package init(
            removedCount: Int = 0, freedBytes: UInt64 = 0, inUse: [ContentID] = []
        ) {
            self.removedCount = removedCount
            self.freedBytes = freedBytes
            self.inUse = inUse
        }
    }

    let folder: CacheFolder
    let database: CacheDatabase
    let small: SmallContents
    /// Databases that were damaged when this was opened.
    let rebuiltDatabases: [String]
    private let worker: Worker

    /// - Parameters:
    ///   - root: The cache folder; made when it is missing.
    ///   - mendsDatabases: Looks at every page of the databases, and begins those anew that are damaged.
    package init(
        root: FilePath, mendsDatabases: Bool = false, logger: Logger
    ) throws(CacheError) {
        folder = try CacheFolder(root)
        rebuiltDatabases = mendsDatabases ? try DatabaseFile.removeDamaged(in: folder) : []
        database = try CacheDatabase(in: folder)
        worker = Worker(name: "hubfs-cache")
        small = SmallContents(in: folder, memoryBytesMax: 0, worker: worker, logger: logger)
        _ = try small.file
    }

    /// Ends the thread and closes the databases. Call once.
    package func close() {
        worker.close()
        (try? small.file)?.close()
        database.file.close()
    }

    /// Every content, least recently used first.
    package func contents() throws(CacheError) -> [CachedContent] {
        let paths = try database.contentPaths()
        var lastUses: [String: Int64] = [:]
        for use in try database.contentUses() { lastUses[use.hex] = use.lastUse }
        let files = try SpaceSurvey(folder).items.compactMap { item -> CachedContent? in
            guard let found = sidecar(of: item.hex) else { return nil }
            return CachedContent(
                content: found.content, size: found.sidecar.geometry.size,
                presentBytes: found.sidecar.presentBytes, diskBytes: item.diskBytes,
                lastUse: lastUses[item.hex], isSealed: found.sidecar.isSealed,
                paths: paths[item.hex] ?? [])
        }
        let rows = try small.rowUses().compactMap { row -> CachedContent? in
            ContentID(hex: row.hex).map {
                CachedContent(
                    content: $0, size: row.size, presentBytes: row.size, diskBytes: row.size,
                    lastUse: row.lastUse, isSealed: true, paths: paths[row.hex] ?? [])
            }
        }
        return (files + rows).sorted { ($0.lastUse ?? 0) < ($1.lastUse ?? 0) }
    }

    /// Bytes of disk of the whole folder, databases included.
    package func diskBytes() throws(CacheError) -> UInt64 { try SpaceSurvey(folder).usedBytes }

    /// Removes contents that nobody has open.
    package func remove(_ contents: some Sequence<CachedContent>) throws(CacheError) -> Removal {
        var removal = Removal()
        var files: [CachedContent] = []
        var rows: [CachedContent] = []
        for content in contents {
            guard content.size >= SmallContents.sizeMax else {
                rows.append(content)
                continue
            }
            let outcome: ContentRemoval.Outcome
            do throws(Errno) {
                outcome = try ContentRemoval.remove(content.content.hex, from: folder)
            } catch {
                throw .disk(error, path: folder.data(of: content.content.hex).string)
            }
            switch outcome {
            case .removed: files.append(content)
            case .inUse: removal.inUse.append(content.content)
            case .absent: break
            }
        }
        try database.forget((files + rows).map(\.content.hex))
        try small.remove(rows.map(\.content.hex))
        try small.giveBackFreePages()
        removal.removedCount = files.count + rows.count
        removal.freedBytes = (files + rows).reduce(0) { $0 + $1.diskBytes }
        return removal
    }

    private func sidecar(of hex: String) -> (sidecar: Sidecar, content: ContentID)? {
        guard let file = try? openForUpdate(folder.sidecar(of: hex), creates: false) else {
            return nil
        }
        defer { try? file.close() }
        return try? Sidecar.existing(in: file)
    }
}
