import FuseBridge
import Glibc

/// The kernel's side of a mount, cut from outside: everybody who waits for the daemon gets an error.
///
/// Source: the kernel's Documentation/filesystems/fuse.rst, "Control filesystem".
struct FuseConnection {
    private static let control = "/sys/fs/fuse/connections"

    /// The switch of a mount's connection.
    private let abortPath: String

    init(_ record: MountRecord) {
        let minor = record.device.split(separator: ":").last ?? ""
        abortPath = "\(Self.control)/\(minor)/abort"
    }

    /// - Throws: `Failure` when this user may not, or the control file system cannot be reached.
    func abort() throws(Failure) {
        if access(abortPath, F_OK) != 0 {
            mount("fusectl", Self.control, "fusectl", 0, nil)
        }
        do {
            try writeSmallFile(abortPath, "1\n")
        } catch {
            throw Failure(
                .fuseUnavailable,
                "the connection cannot be aborted (\(abortPath): \(error)); --lazy detaches the mount "
                    + "and lets its users finish")
        }
    }
}
