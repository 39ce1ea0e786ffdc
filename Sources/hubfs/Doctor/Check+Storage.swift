import Glibc
import Platform
import SystemPackage

extension Check {
    /// Free space below which the cache keeps little or nothing.
    private static let tightBytes: UInt64 = 5 << 30

    /// Cache folder, log folder and control socket.
    static func storage(_ options: CacheOptions, _ environment: Environment) -> [Check] {
        let root: FilePath
        do throws(Failure) {
            root = try HubAccess.cacheRoot(options.cacheDir, environment)
        } catch {
            return [.fail("cache", error.sentence, fix: "set one of them")]
        }
        return [
            writable("cache", root, option: "--cache-dir or HUBFS_CACHE"), disk(root),
            writable(
                "logs", FilePath(environment.logFolder), option: "--log-file or XDG_STATE_HOME"),
            control(environment),
        ]
    }

    private static func writable(_ name: String, _ folder: FilePath, option: String) -> Check {
        let existing = nearestExisting(folder)
        if access(existing.string, W_OK | X_OK) == 0 {
            return .ok(name, existing == folder ? "\(folder)" : "\(folder), not made yet")
        }
        let code = Errno(rawValue: errno)
        return .fail(
            name, "\(folder) cannot be written: \(code)",
            fix: "make it writable, or name another folder with \(option)")
    }

    private static func disk(_ root: FilePath) -> Check {
        let facts: FileSystemFacts
        do throws(Errno) {
            facts = try FileSystemFacts(of: nearestExisting(root))
        } catch {
            return .fail(
                "cache disk", "cannot be looked at: \(error)", fix: "look at the line 'cache'")
        }
        if let network = facts.networkName {
            return .fail(
                "cache disk", "\(root) lies on \(network), where locks do not hold",
                fix: "name a folder on a local disk with --cache-dir or HUBFS_CACHE")
        }
        let free = readableSize(facts.availableBytes)
        if facts.availableBytes < tightBytes {
            return .warn(
                "cache disk", "local, \(free) free: little can be kept",
                fix: "free some space, or name a folder on another disk")
        }
        return .ok("cache disk", "local, \(free) free")
    }

    private static func control(_ environment: Environment) -> Check {
        let folder = ControlFolder.own(environment)
        do throws(Failure) {
            try folder.prepare()
            return .ok("control sockets", "\(folder.path)")
        } catch {
            return .warn(
                "control sockets", error.sentence,
                fix: "without them mounts work, but hubfs status does not see them")
        }
    }

    /// The folder itself or, while it does not exist, the one it would be made in.
    private static func nearestExisting(_ folder: FilePath) -> FilePath {
        var folder = folder
        while access(folder.string, F_OK) != 0, errno == ENOENT, folder.removeLastComponent() {}
        return folder
    }
}
