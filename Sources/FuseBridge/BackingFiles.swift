import CLinux
import Platform
import Synchronization
package import SystemPackage

/// Files of ours that the kernel reads by itself instead of asking us: FUSE passthrough.
///
/// The kernel opens such a file anew for each open of the inode, with the user's flags and our
/// rights, so that a write would reach it whatever it is opened with here: passthrough is for mounts
/// that are read only.
///
/// It needs CAP_SYS_ADMIN and Linux 6.9. What the kernel refuses once of files that lie together it
/// refuses always, so that is asked once and silently done without.
///
/// Source: linux/fuse.h (FUSE_DEV_IOC_BACKING_OPEN), linux fs/fuse/backing.c.
package final class BackingFiles: Sendable {
    /// The kernel's number of a registered file.
    package struct ID: Hashable, Sendable {
        package let number: Int32

        package init(number: Int32) { self.number = number }
    }

    /// Whether the kernel takes files.
    package enum Standing: Hashable, Sendable {
        /// It has not offered to.
        case unavailable
        case on
        case refused(Errno)
    }

    /// File systems stacked on each other that may end in the mount: those below it and itself.
    let stackDepth: UInt32
    /// The connection's descriptor; -1 when there is none that offers passthrough.
    private let device = Atomic<Int32>(-1)
    /// The errno of the refusal; 0 when there was none.
    private let refusal = Atomic<Int32>(0)
    private let opened = Atomic<UInt64>(0)

    /// - Parameter areStacked: Whether the files lie on a file system that is stacked on another, as
    ///   overlayfs is. The mount counts as one layer more, and the kernel allows two: an overlay can
    ///   be put above the mount only without.
    package init(areStacked: Bool) {
        stackDepth = areStacked ? 2 : 1
    }

    package var standing: Standing {
        let code = refusal.load(ordering: .relaxed)
        if code != 0 { return .refused(Errno(rawValue: code)) }
        return device.load(ordering: .relaxed) < 0 ? .unavailable : .on
    }

    /// Whether `register` can have an answer.
    package var areTaken: Bool { standing == .on }

    /// Opens that were answered with a registered file.
    package var openCount: UInt64 { opened.load(ordering: .relaxed) }

    /// Registers a file. The call waits for nothing.
    ///
    /// - Parameters:
    ///   - file: Open for reading; it may be closed afterwards.
    ///   - speaksForAll: Whether the kernel, if it refuses this file, is not asked again. A file that lies
    ///     elsewhere than most says nothing of them.
    /// - Returns: nil when the kernel does not take it. Else it must be given to `release`.
    package func register(_ file: FileDescriptor, speaksForAll: Bool = true) -> ID? {
        let device = device.load(ordering: .relaxed)
        guard device >= 0, refusal.load(ordering: .relaxed) == 0 else { return nil }
        var map = BackingMap(file: file.rawValue)
        do throws(Errno) {
            let number = try check {
                Int(hubfs_ioctl_pointer(device, BackingMap.open, &map))
            }
            return ID(number: Int32(number))
        } catch {
            if speaksForAll, error != .noMemory {
                refusal.store(error.rawValue, ordering: .relaxed)
            }
            return nil
        }
    }

    /// Ends what `register` began. Inodes that are open still keep their file.
    package func release(_ id: ID) {
        let device = device.load(ordering: .relaxed)
        guard device >= 0 else { return }
        var number = UInt32(bitPattern: id.number)
        // The kernel forgets all of them at the end of the connection, so nothing can be lost.
        _ = hubfs_ioctl_pointer(device, BackingMap.close, &number)
    }

    func countOpen() { opened.add(1, ordering: .relaxed) }

    /// The kernel has offered passthrough for the connection with this descriptor.
    func begin(device: Int32) { self.device.store(device, ordering: .relaxed) }

    /// The connection ends.
    func end() { device.store(-1, ordering: .relaxed) }
}

/// `struct fuse_backing_map`, with the requests that take it.
private struct BackingMap {
    static let open: UInt = 0x4010_E501
    static let close: UInt = 0x4004_E502

    var file: Int32
    var flags: UInt32 = 0
    var padding: UInt64 = 0
}
