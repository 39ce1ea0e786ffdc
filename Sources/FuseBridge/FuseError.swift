package import SystemPackage

/// Why a mount could not be made or served.
package enum FuseError: Error, Hashable, Sendable {
    /// libfuse refused the session's options; it has said why on stderr.
    case sessionRefused
    /// The mount itself failed; libfuse or fusermount3 has said why on stderr.
    case mountFailed(path: String)
    /// The mount point cannot be used.
    case mountPoint(path: String, Errno)
    /// Unmounting failed: `.resourceBusy` when somebody uses the mount.
    case unmountFailed(path: String, Errno)
}
