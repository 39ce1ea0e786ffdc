import Platform
import SystemPackage

/// The folder of staging files, and what editing them needs.
final class Staging: Sendable {
    let folder: FilePath
    let journal: Journal
    let floor: SpaceFloor

    init(folder: FilePath, journal: Journal, floorBytes: UInt64) {
        self.folder = folder
        self.journal = journal
        floor = SpaceFloor(folder: folder, floorBytes: floorBytes)
    }

    /// The staging file of a layer. Named by a number of ours: no name of a user's or a server's
    /// ever becomes a path.
    func file(_ layer: UInt64) -> StagingFile {
        StagingFile(folder.appending(String(layer)))
    }

    /// A staging file that no layer owns: for bytes a commit needs for its own time.
    func temporaryFile() throws(WriteBackError) -> StagingFile {
        StagingFile(folder.appending(String(try journal.takeNumber())), isTemporary: true)
    }

    /// Puts the names of new staging files on disk. Source: man 2 fsync.
    func syncFolder() throws(WriteBackError) {
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
    func syncEverything() throws(WriteBackError) {
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
        do throws(Errno) {
            for name in try Folder.names(in: folder) {
                if let number = UInt64(name), layers.contains(number) { continue }
                try Folder.unlink(folder.appending(name))
            }
        } catch {
            throw .disk(error, path: folder.string)
        }
    }
}
