import Glibc
package import HubClient
import Platform
import SystemPackage

/// What a look at every byte of a cache found, and mended.
package struct CacheScrub: Hashable, Sendable {
    package var checkedCount = 0
    package var checkedBytes: UInt64 = 0
    /// Contents whose bytes were wrong. They were dropped, and mounts that have them open answer errors.
    package var damaged: [ContentID] = []
    /// Blocks of contents that are not whole which were not what they had been; they are fetched again.
    package var lostBlockCount = 0
    /// Contents whose map was lost or damaged, and whose bytes were right.
    package var restored: [ContentID] = []
    /// Files that belonged to nothing, such as a process that was killed leaves.
    package var removedFileCount = 0
    /// Databases that were damaged and are made anew.
    package var rebuiltDatabases: [String] = []

    /// Whether something was not as hubfs had left it.
    package var foundDamage: Bool {
        !damaged.isEmpty || lostBlockCount > 0 || !rebuiltDatabases.isEmpty
    }
}

extension CacheInventory {
    /// Compares every content with its name, every block of those that are not whole with its checksum,
    /// and the files with each other; takes away or mends what is wrong.
    package func verify() throws(CacheError) -> CacheScrub {
        var scrub = CacheScrub()
        scrub.rebuiltDatabases = rebuiltDatabases
        try sweep(&scrub)
        for content in try contents() {
            if content.size < SmallContents.sizeMax {
                guard let isRight = try verifyRow(content) else { continue }
                if !isRight { scrub.damaged.append(content.content) }
            } else if content.isSealed {
                if try !verifyFile(content) { scrub.damaged.append(content.content) }
            } else if let lost = try verifyBlocks(content) {
                scrub.lostBlockCount += lost
            } else {
                scrub.damaged.append(content.content)
            }
            scrub.checkedCount += 1
            scrub.checkedBytes += content.presentBytes
        }
        return scrub
    }

    // MARK: Contents

    private func verifyRow(_ content: CachedContent) throws(CacheError) -> Bool? {
        guard let bytes = small.row(content.content.hex) else { return nil }
        var digest = ContentDigest(of: content.content, size: UInt64(bytes.count))
        bytes.withUnsafeBytes { digest.update($0) }
        if digest.matches { return true }
        try small.remove([content.content.hex])
        return false
    }

    private func verifyFile(_ content: CachedContent) throws(CacheError) -> Bool {
        guard let file = try openWhole(content), file.sidecar.isSealed else { return false }
        let isRight = ContentDigest.matches(content.content, size: content.size) { buffer, offset in
            (try? file.read(into: buffer, at: offset)) ?? false
        }
        if isRight { return true }
        file.drop()
        try database.forget([content.content.hex])
        return false
    }

    /// - Returns: how many blocks were lost; nil when the file itself was cut.
    private func verifyBlocks(_ content: CachedContent) throws(CacheError) -> Int? {
        guard let file = try openWhole(content) else { return nil }
        let scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(file.geometry.blockBytes), alignment: 16)
        defer { scratch.deallocate() }
        var lost = 0
        for block in file.geometry.all where file.sidecar.isPresent(block) {
            if file.isIntact(block, scratch: scratch) { continue }
            file.sidecar.markAbsent(block)
            lost += 1
        }
        return lost
    }

    /// The content's files; nil when the bytes are not as long as the map says, and it was dropped.
    private func openWhole(_ content: CachedContent) throws(CacheError) -> ContentFile? {
        let hex = content.content.hex
        if let status = try? Folder.status(folder.data(of: hex)), status.st_size == content.size {
            return try ContentFile.open(
                content.content, size: content.size, in: folder, bootID: .current)
        }
        do throws(Errno) {
            // Who has it open finds the mark.
            let map = try openForUpdate(folder.sidecar(of: hex), creates: false)
            defer { try? map.close() }
            try Sidecar.existing(in: map)?.sidecar.markDropped()
            try Folder.unlink(folder.data(of: hex))
            try Folder.unlink(folder.sidecar(of: hex))
        } catch .noSuchFileOrDirectory {
            // Evicted meanwhile.
        } catch {
            throw .disk(error, path: folder.data(of: hex).string)
        }
        try database.forget([hex])
        return nil
    }

    // MARK: Files that do not fit each other

    /// Looks for bytes without a map and maps without bytes.
    private func sweep(_ scrub: inout CacheScrub) throws(CacheError) {
        do throws(Errno) {
            for shard in try Folder.names(in: folder.contents) {
                let names = Set(try Folder.names(in: folder.contents.appending(shard)))
                for name in names {
                    let hex = name.hasSuffix(".map") ? String(name.dropLast(4)) : name
                    let isAlone = !names.contains(name == hex ? hex + ".map" : hex)
                    guard let content = ContentID(hex: hex), hex.hasPrefix(shard)
                    else {
                        // What restoring leaves when it is killed; others' files are not touched.
                        if name.hasSuffix(Self.lostSuffix) {
                            try Folder.unlink(folder.contents.appending(shard).appending(name))
                            scrub.removedFileCount += 1
                        }
                        continue
                    }
                    guard isAlone || (name == hex && !hasSoundMap(content)) else { continue }
                    if name == hex, try restore(content) {
                        scrub.restored.append(content)
                    } else if try ContentRemoval.remove(hex, from: folder) != .inUse {
                        scrub.removedFileCount += 1
                    }
                }
            }
        } catch {
            throw .disk(error, path: folder.contents.string)
        }
    }

    private func hasSoundMap(_ content: ContentID) -> Bool {
        guard let map = try? openForUpdate(folder.sidecar(of: content.hex), creates: false) else {
            return false
        }
        defer { try? map.close() }
        return (try? Sidecar.existing(in: map))?.content == content
    }

    /// Makes a new map for bytes that lost theirs, if they are whole and right.
    private func restore(_ content: ContentID) throws(Errno) -> Bool {
        let data = folder.data(of: content.hex)
        guard let status = try Folder.status(data), status.st_size >= SmallContents.sizeMax else {
            return false
        }
        let lost = FilePath(data.string + Self.lostSuffix)
        try Folder.rename(data, to: lost)
        defer { _ = try? Folder.unlink(lost) }
        let file = try openForUpdate(lost, creates: false)
        defer { try? file.close() }
        let size = UInt64(status.st_size)
        let isRight = ContentDigest.matches(content, size: size) { buffer, offset in
            (try? file.readWhole(into: buffer, at: offset)) == buffer.count
        }
        guard isRight else { return false }
        return try ContentFile.adopt(
            content, size: size, from: lost, in: folder, bootID: .current)
    }

    private static let lostSuffix = ".lost"
}
