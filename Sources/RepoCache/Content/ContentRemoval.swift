import Glibc
import Platform
import SystemPackage

/// Takes contents out of the folder that nobody uses.
enum ContentRemoval {
    enum Outcome: Equatable {
        case removed
        /// Some process has it open, or mapped by passthrough.
        case inUse
        /// There is no such content.
        case absent
    }

    /// Removes both files of a content, whole, under the exclusive lock.
    ///
    /// The bytes go first: whoever opens the sidecar in between waits for the lock, finds the
    /// sidecar unlinked and starts over.
    static func remove(_ hex: String, from folder: CacheFolder) throws(Errno) -> Outcome {
        let lockFile: FileDescriptor
        do throws(Errno) {
            lockFile = try openForUpdate(folder.sidecar(of: hex), creates: false)
        } catch .noSuchFileOrDirectory {
            // A file of bytes without a map, from a process killed between the two.
            return try Folder.unlink(folder.data(of: hex)) ? .removed : .absent
        }
        defer { try? lockFile.close() }
        guard try lockFile.lock(.exclusive, waits: false) else { return .inUse }
        guard try lockFile.status().st_nlink > 0 else { return .absent }
        // A mapping of a file that the kernel reads by itself outlives every handle we know of. Its
        // bytes would stay on disk, counted by nobody.
        if try isMapped(folder.data(of: hex)) { return .inUse }
        try Folder.unlink(folder.data(of: hex))
        try Folder.unlink(folder.sidecar(of: hex))
        return .removed
    }

    private static func isMapped(_ path: FilePath) throws(Errno) -> Bool {
        do {
            let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
            defer { try? file.close() }
            return file.isOpenElsewhere()
        } catch Errno.noSuchFileOrDirectory {
            return false
        } catch let code as Errno {
            throw code
        } catch {
            throw .ioError
        }
    }
}
