import CLinux
import Glibc
package import SystemPackage

/// What the file system below a path can be trusted with, and how much room it has.
///
/// Source: man 2 statfs.
package struct FileSystemFacts: Hashable, Sendable {
    /// Name of the network file system, such as "NFS"; nil on a local one.
    package let networkName: String?
    /// Whether it is an overlayfs, as the root of most containers is.
    package let isOverlay: Bool
    /// Size in bytes.
    package let totalBytes: UInt64
    /// Bytes that a process without privileges may still use.
    package let availableBytes: UInt64

    package init(of path: FilePath) throws(Errno) {
        var kind: Int64 = 0
        var total: UInt64 = 0
        var available: UInt64 = 0
        _ = try check { Int(hubfs_statfs(path.string, &kind, &total, &available)) }
        isOverlay = UInt32(truncatingIfNeeded: kind) == Self.overlay
        networkName = Self.networkNames[UInt32(truncatingIfNeeded: kind)]
        totalBytes = total
        availableBytes = available
    }

    /// Source: linux/magic.h.
    private static let overlay: UInt32 = 0x794C_7630

    /// File systems whose locks or shared mappings do not hold between hosts, by `f_type`.
    ///
    /// Source: man 2 statfs; linux/magic.h.
    private static let networkNames: [UInt32: String] = [
        0x6969: "NFS", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB2", 0x517B: "SMB",
        0x0102_1997: "9P", 0x00C3_6400: "Ceph", 0x6573_5546: "FUSE", 0x5346_414F: "AFS",
        0x6B41_4653: "AFS", 0x0BD0_0BD0: "Lustre", 0x4750_4653: "GPFS", 0x0116_1970: "GFS2",
        0x7461_636F: "OCFS2", 0x7375_7245: "Coda", 0x1983_0326: "BeeGFS",
    ]
}
