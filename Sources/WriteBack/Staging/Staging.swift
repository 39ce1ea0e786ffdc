import Platform
import Synchronization
import SystemPackage

/// The folder of staging files, and what editing them needs.
///
/// A file whose bytes were synced outlives its journal records until their removal is on disk as
/// well: a power cut before would bring the records back, and their bytes must be there then.
final class Staging: Sendable {
    let folder: FilePath
    let journal: Journal
    let floor: SpaceFloor
    private let doomed = Guarded(Doomed(), rank: .leaf)

    private struct Doomed {
        var files: [StagingFile] = []
        var bytes: UInt64 = 0

        mutating func takeAll() -> [StagingFile] {
            defer { self = Doomed() }
            return files
        }
    }

    /// What may wait for the next fsync of any program before it is worth a sync of its own.
    private static let doomedCountMax = 64
    private static let doomedBytesMax: UInt64 = 64 << 20

    private let activityCount = Atomic<UInt64>(0)

    /// Counts edits of bytes, and writers that have closed.
    var activity: UInt64 { activityCount.load(ordering: .relaxed) }

    func noteActivity() { activityCount.wrappingAdd(1, ordering: .relaxed) }

    init(folder: FilePath, journal: Journal, floorBytes: UInt64) {
        self.folder = folder
        self.journal = journal
        floor = SpaceFloor(folder: folder, floorBytes: floorBytes)
    }

    /// The staging file of a layer. Named by a number of ours: no name of a user's or a server's
    /// ever becomes a path.
    func file(_ layer: UInt64) -> StagingFile {
        StagingFile(layer, in: folder)
    }

    /// A staging file that no layer owns: for bytes a commit needs for its own time.
    func temporaryFile() throws(WriteBackError) -> StagingFile {
        StagingFile(try journal.takeNumber(), in: folder, isTemporary: true)
    }

    /// Removes the file of a layer whose records have left the journal: at once, or when that is on
    /// disk.
    func discard(_ layer: WorkingFile.Layer) {
        guard let synced = layer.synced else { return layer.store.discard() }
        doomed.withLock { doomed in
            doomed.files.append(layer.store)
            doomed.bytes += max(synced.extents.dirtyBytes, layer.shape.extents.dirtyBytes)
        }
    }

    /// Makes a change that survives a power cut, with every change before it, see `Journal`; then
    /// nothing needs the files any more that were discarded before.
    func writeDurably(
        _ body: (borrowing JournalTransaction) throws -> Void
    ) throws(WriteBackError) {
        let files = doomed.withLock { $0.takeAll() }
        do throws(WriteBackError) {
            try journal.writeDurably(body)
        } catch {
            doomed.withLock { $0.files += files }
            throw error
        }
        for file in files { file.discard() }
    }

    /// Gives the disk back what was discarded, if it has become much.
    func settleDiscarded() throws(WriteBackError) {
        let isMuch = doomed.withLock {
            $0.files.count > Self.doomedCountMax || $0.bytes > Self.doomedBytesMax
        }
        if isMuch { try writeDurably { _ in } }
    }

    /// Takes room for bytes that are about to be written.
    ///
    /// - Throws: `.full` when there is none, not even with the space of what was discarded.
    func reserve(_ byteCount: UInt64) throws(WriteBackError) {
        do throws(WriteBackError) {
            try floor.reserve(byteCount)
        } catch .full {
            guard doomed.withLock({ !$0.files.isEmpty }) else { throw .full }
            try writeDurably { _ in }
            try floor.reserve(byteCount)
        }
    }

    /// Bytes that can still be written; if they are fewer than `byteCount`, what was discarded is
    /// given back first.
    func availableBytes(atLeast byteCount: UInt64) throws(WriteBackError) -> UInt64 {
        let available = try floor.availableBytes()
        guard available < byteCount, doomed.withLock({ !$0.files.isEmpty }) else {
            return available
        }
        try writeDurably { _ in }
        return try floor.availableBytes()
    }

    /// Files that are synced one by one; more are synced by one call for the whole disk, which also
    /// waits for what others write.
    private static let singleSyncCountMax = 64

    /// Puts the bytes of layers on disk, and the names of their files: also of those without bytes,
    /// so that a layer that was synced once never needs its name synced again.
    func sync(_ layers: [UnsyncedLayer]) throws(WriteBackError) {
        let isMany = layers.count > Self.singleSyncCountMax
        for layer in layers where layer.isNew || layer.hasUnsyncedBytes {
            try layer.store.use { (file) throws(Errno) in
                if !isMany { try file.syncData() }
            }
        }
        if isMany { return try syncEverything() }
        if layers.contains(where: \.isNew) { try Self.sync(folder) }
    }

    /// Puts the names in a folder on disk. Source: man 2 fsync.
    static func sync(_ folder: FilePath) throws(WriteBackError) {
        do {
            let directory = try FileDescriptor.open(
                folder, .readOnly, options: [.directory, .closeOnExec])
            defer { try? directory.close() }
            try directory.sync()
        } catch {
            throw .disk((error as? Errno) ?? .ioError, path: folder.string)
        }
    }

    /// Puts all edited bytes on disk with one call, however many files they are in.
    /// Source: man 2 syncfs.
    private func syncEverything() throws(WriteBackError) {
        do {
            let directory = try FileDescriptor.open(
                folder, .readOnly, options: [.directory, .closeOnExec])
            defer { try? directory.close() }
            try directory.syncFileSystem()
        } catch {
            throw .disk((error as? Errno) ?? .ioError, path: folder.string)
        }
    }

    /// Removes the files no layer of the journal names: left by a daemon that was killed.
    func removeOrphans(keeping layers: Set<UInt64>) throws(WriteBackError) {
        do {
            let orphans = try Folder.names(in: folder).filter { name in
                UInt64(name).map(layers.contains) != true
            }
            if orphans.isEmpty { return }
            // Their records may be gone from the page cache's copy of the journal only.
            try journal.writeDurably { _ in }
            for name in orphans { try Folder.unlink(folder.appending(name)) }
        } catch let error as WriteBackError {
            throw error
        } catch {
            throw .disk((error as? Errno) ?? .ioError, path: folder.string)
        }
    }
}
