import FuseBridge
import Glibc
import Logging
import RepoCache
import SystemPackage

/// What every mount has to see to before it is made, whatever it shows.
enum MountPlace {
    /// Takes away what a daemon that died has left, and looks at the mount point.
    static func prepare(_ path: String, _ logger: Logger) throws(MountError) {
        do throws(FuseError) {
            if try MountPoint.removeStale(path) {
                logger.notice("the mount left at \(path) by a daemon that died was removed")
            }
        } catch {
            throw .fuse(error)
        }
        if let record = MountTable.record(at: path), record.isOurs {
            throw .alreadyMounted(path: path)
        }
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw .mountPoint(path: path, Errno(rawValue: errno))
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw .mountPoint(path: path, .notDirectory)
        }
    }

    /// What the kernel reads by itself on a mount that is read only. It takes files from root alone. An
    /// offer that could only be refused is not made: it would still forbid one layer of overlayfs above
    /// the mount.
    static func backingFiles(for cache: RepoCache) -> BackingFiles? {
        geteuid() == 0 ? BackingFiles(areStacked: cache.isOnOverlay) : nil
    }
}
