import Glibc
import HubClient
import Platform
import SystemPackage

/// The two files of one content: sparse bytes and their sidecar, held open with a shared lock.
///
/// The lock keeps evictors of every process away and dies with this object or its process. Bytes
/// are written before their presence bit is set, so whoever sees the bit may read the bytes.
final class ContentFile: Sendable {
    let content: ContentID
    let geometry: BlockGeometry
    let sidecar: Sidecar
    /// The sparse file of bytes; passthrough and adoption use it when the content is sealed.
    let data: FileDescriptor
    private let lockFile: FileDescriptor
    private let folder: CacheFolder

    /// Times an evictor may get between our open and our lock before we give up.
    private static let attemptCountMax = 16
    /// What the file system needs for two new files besides their bytes: a folder's page, and one
    /// for where the parts of a sparse file lie.
    private static let metadataBytes: UInt64 = 8192
    /// How often and how long a maker waits for those who look.
    private static let exclusiveAttemptCountMax = 20
    private static let exclusivePauseMicroseconds: UInt32 = 200

    private init(
        _ content: ContentID, _ sidecar: Sidecar, data: FileDescriptor, lockFile: FileDescriptor,
        folder: CacheFolder
    ) {
        self.content = content
        self.geometry = sidecar.geometry
        self.sidecar = sidecar
        self.data = data
        self.lockFile = lockFile
        self.folder = folder
    }

    deinit {
        try? data.close()
        try? lockFile.close()
    }

    /// Opens the files of a content, making them when they are missing or damaged.
    ///
    /// - Parameter ledger: Where room for a new sidecar is taken; `disk` with `noSpace` is thrown when
    ///   there is none.
    static func open(
        _ content: ContentID, size: UInt64, in folder: CacheFolder, bootID: BootID,
        ledger: SpaceLedger? = nil
    ) throws(CacheError) -> ContentFile {
        let path = folder.sidecar(of: content.hex)
        do throws(Errno) {
            for _ in 0..<attemptCountMax {
                if let file = try attempt(content, size, folder, bootID, ledger) { return file }
            }
            // Somebody uses what does not fit together: one of the two files was replaced or cut. He keeps
            // what he has open, and the names are free for files that fit.
            try Folder.unlink(folder.data(of: content.hex))
            try Folder.unlink(path)
            for _ in 0..<attemptCountMax {
                if let file = try attempt(content, size, folder, bootID, ledger) { return file }
            }
        } catch {
            throw .disk(error, path: path.string)
        }
        throw .disk(.resourceTemporarilyUnavailable, path: path.string)
    }

    /// Bytes of a content that a look at its sidecar finds present; nothing is made or locked.
    static func presentBytes(
        of content: ContentID, in folder: CacheFolder
    ) -> UInt64 {
        look(at: content, in: folder) { $0.presentBytes } ?? 0
    }

    /// Whether a look at a content's sidecar finds it sealed; nothing is made or locked.
    static func isSealed(_ content: ContentID, in folder: CacheFolder) -> Bool {
        look(at: content, in: folder) { $0.isSealed } ?? false
    }

    private static func look<Fact>(
        at content: ContentID, in folder: CacheFolder, _ fact: (Sidecar) -> Fact
    ) -> Fact? {
        let path = folder.sidecar(of: content.hex)
        guard let lockFile = try? openForUpdate(path, creates: false) else { return nil }
        defer { try? lockFile.close() }
        guard let found = try? Sidecar.existing(in: lockFile), found.content == content else {
            return nil
        }
        return fact(found.sidecar)
    }

    // MARK: Blocks

    /// Stores the bytes of adjoining blocks, then marks them present.
    func write(_ bytes: UnsafeRawBufferPointer, blocks: Range<Int>) throws(Errno) {
        try data.writeWhole(bytes, at: geometry.bytes(ofBlocks: blocks).lowerBound)
        for block in blocks {
            let part = geometry.cut(bytes, of: blocks, to: block..<block + 1)
            sidecar.markPresent(block, crc: crc32c(part))
        }
    }

    /// Reads bytes that are present.
    ///
    /// - Returns: false when the file is shorter than it should be.
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(Errno) -> Bool {
        try data.readWhole(into: buffer, at: offset) == buffer.count
    }

    /// Whether a present block still has the checksum it was stored with.
    ///
    /// - Parameter scratch: Room for one block.
    func isIntact(_ block: Int, scratch: UnsafeMutableRawBufferPointer) -> Bool {
        let range = geometry.bytes(ofBlock: block)
        let buffer = UnsafeMutableRawBufferPointer(rebasing: scratch[0..<range.count])
        guard let isWhole = try? read(into: buffer, at: range.lowerBound), isWhole else {
            return false
        }
        return crc32c(UnsafeRawBufferPointer(buffer)) == sidecar.crc(block)
    }

    /// Puts bytes and map on disk and marks the content sealed; it must be whole and verified.
    func seal() throws(Errno) {
        try data.syncData()
        try sidecar.sync()
        sidecar.markSealed()
        try sidecar.sync()
    }

    /// Takes the content out of the cache because its bytes are wrong. Other users keep their
    /// descriptors and find the mark.
    func drop() {
        sidecar.markDropped()
        // Another user may have replaced the files already: only unlink the ones held here.
        guard let own = try? lockFile.status(),
            let named = try? Folder.status(folder.sidecar(of: content.hex)),
            own.st_ino == named.st_ino
        else { return }
        _ = try? Folder.unlink(folder.data(of: content.hex))
        _ = try? Folder.unlink(folder.sidecar(of: content.hex))
    }

    // MARK: Adopting

    /// Makes a whole, verified file the bytes of a content that nobody uses now.
    ///
    /// The file is linked where it lies on the same file system, else copied; it must not change
    /// any more, and its bytes must be on disk.
    ///
    /// - Returns: false when the content is here already, or in use.
    static func adopt(
        _ content: ContentID, size: UInt64, from path: FilePath, in folder: CacheFolder,
        bootID: BootID
    ) throws(Errno) -> Bool {
        let lockFile = try openFile(folder.sidecar(of: content.hex), in: folder, content)
        defer { try? lockFile.close() }
        // Whoever has the content open holds the lock shared, and would go on with other bytes.
        guard try lockFile.lock(.exclusive, waits: false), try lockFile.status().st_nlink > 0
        else { return false }
        if let found = try Sidecar.existing(in: lockFile), found.sidecar.isSealed { return false }
        let geometry = BlockGeometry(size: size)
        let target = folder.data(of: content.hex)
        try lockFile.truncate(to: 0)
        try Folder.unlink(target)
        let data = try linkOrCopy(path, to: target, size: size)
        defer { try? data.close() }
        let byteCount = Sidecar.byteCount(for: geometry)
        try lockFile.allocate(byteCount: byteCount)
        let sidecar = Sidecar(
            try MappedMemory(sharing: lockFile, byteCount: byteCount), geometry: geometry)
        sidecar.initialize(for: content, bootID: bootID)
        try markAllPresent(sidecar, data)
        try data.syncData()
        try sidecar.sync()
        sidecar.markSealed()
        try sidecar.sync()
        return true
    }

    private static func linkOrCopy(
        _ path: FilePath, to target: FilePath, size: UInt64
    ) throws(Errno) -> FileDescriptor {
        if link(path.string, target.string) == 0 {
            return try openForUpdate(target, creates: false)
        }
        guard errno == EXDEV || errno == EPERM || errno == EMLINK else {
            throw Errno(rawValue: errno)
        }
        let source = try openForUpdate(path, creates: false)
        defer { try? source.close() }
        let copy = try openForUpdate(target, creates: true)
        try withBlocks(of: BlockGeometry(size: size), in: source) { bytes, block throws(Errno) in
            try copy.writeWhole(
                bytes, at: UInt64(block) * BlockGeometry(size: size).blockBytes)
        }
        return copy
    }

    private static func markAllPresent(
        _ sidecar: Sidecar, _ data: FileDescriptor
    ) throws(Errno) {
        try withBlocks(of: sidecar.geometry, in: data) { bytes, block throws(Errno) in
            sidecar.markPresent(block, crc: crc32c(bytes))
        }
    }

    private static func withBlocks(
        of geometry: BlockGeometry, in file: FileDescriptor,
        _ body: (UnsafeRawBufferPointer, Int) throws(Errno) -> Void
    ) throws(Errno) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(geometry.blockBytes), alignment: 4096)
        defer { buffer.deallocate() }
        for block in 0..<geometry.blockCount {
            let range = geometry.bytes(ofBlock: block)
            let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<range.count])
            guard try file.readWhole(into: bytes, at: range.lowerBound) == range.count else {
                throw .ioError
            }
            try body(UnsafeRawBufferPointer(bytes), block)
        }
    }

    // MARK: Opening

    /// - Returns: nil when an evictor was faster, or another process repairs: try again.
    private static func attempt(
        _ content: ContentID, _ size: UInt64, _ folder: CacheFolder, _ bootID: BootID,
        _ ledger: SpaceLedger?
    ) throws(Errno) -> ContentFile? {
        let lockFile = try openFile(folder.sidecar(of: content.hex), in: folder, content)
        var isKept = false
        defer { if !isKept { try? lockFile.close() } }
        guard try lockFile.lock(.shared, waits: true) else { return nil }
        guard try lockFile.status().st_nlink > 0 else { return nil }
        let data = try openFile(folder.data(of: content.hex), in: folder, content)
        defer { if !isKept { try? data.close() } }

        let geometry = BlockGeometry(size: size)
        if let sidecar = try soundSidecar(content, geometry, lockFile, data) {
            isKept = true
            return ContentFile(content, sidecar, data: data, lockFile: lockFile, folder: folder)
        }
        // New or damaged: make it afresh while nobody else uses it, then start over, because the
        // change of a lock is not atomic (man 2 flock).
        _ = try lockFile.lock(.unlock, waits: true)
        // One maker at a time: the others wait here, where they hold no lock that hinders it. Nobody
        // keeps this lock longer than the making takes.
        _ = try data.lock(.exclusive, waits: true)
        guard try becomeOnlyUser(lockFile) else { return nil }
        guard try lockFile.status().st_nlink > 0 else { return nil }
        if try soundSidecar(content, geometry, lockFile, data) == nil {
            // Bytes whose map was lost may be in use by who has that one still.
            guard try data.status().st_size == 0 else {
                try Folder.unlink(folder.data(of: content.hex))
                return nil
            }
            let bytes = UInt64(Sidecar.byteCount(for: geometry)) + metadataBytes
            guard ledger?.reserve(bytes, for: .bookkeeping) ?? true else { throw .noSpace }
            defer { ledger?.settle(bytes) }
            try makeAfresh(content, geometry, lockFile, data, bootID)
        }
        return nil
    }

    /// Takes the exclusive lock. Who only looks whether the files are sound lets go at once; a user
    /// who stays found them sound, or keeps a content that was dropped.
    private static func becomeOnlyUser(_ lockFile: FileDescriptor) throws(Errno) -> Bool {
        for _ in 0..<exclusiveAttemptCountMax {
            if try lockFile.lock(.exclusive, waits: false) { return true }
            usleep(exclusivePauseMicroseconds)
        }
        return false
    }

    /// The mapped sidecar, if it is this content's and fits the file of bytes.
    private static func soundSidecar(
        _ content: ContentID, _ geometry: BlockGeometry, _ lockFile: FileDescriptor,
        _ data: FileDescriptor
    ) throws(Errno) -> Sidecar? {
        let byteCount = Sidecar.byteCount(for: geometry)
        guard try lockFile.status().st_size == byteCount,
            try data.status().st_size == Int(geometry.size)
        else { return nil }
        let memory = try MappedMemory(sharing: lockFile, byteCount: byteCount)
        let sidecar = Sidecar(memory, geometry: geometry)
        return sidecar.describes(content) && !sidecar.isDropped ? sidecar : nil
    }

    private static func makeAfresh(
        _ content: ContentID, _ geometry: BlockGeometry, _ lockFile: FileDescriptor,
        _ data: FileDescriptor, _ bootID: BootID
    ) throws(Errno) {
        let byteCount = Sidecar.byteCount(for: geometry)
        try lockFile.truncate(to: 0)
        try data.truncate(to: geometry.size)
        try lockFile.allocate(byteCount: byteCount)
        let memory = try MappedMemory(sharing: lockFile, byteCount: byteCount)
        Sidecar(memory, geometry: geometry).initialize(for: content, bootID: bootID)
    }

    private static func openFile(
        _ path: FilePath, in folder: CacheFolder, _ content: ContentID
    ) throws(Errno) -> FileDescriptor {
        do {
            return try openForUpdate(path, creates: true)
        } catch Errno.noSuchFileOrDirectory {
            try Folder.create(folder.shard(of: content.hex))
            return try openForUpdate(path, creates: true)
        }
    }
}

/// Opens a file of the cache for reading and writing.
func openForUpdate(_ path: FilePath, creates: Bool) throws(Errno) -> FileDescriptor {
    do {
        return try FileDescriptor.open(
            path, .readWrite, options: creates ? [.create, .closeOnExec] : [.closeOnExec],
            permissions: .ownerReadWrite)
    } catch let code as Errno {
        throw code
    } catch {
        throw .ioError
    }
}
