package import Glibc

/// What an inode is.
package enum NodeKind: Hashable, Sendable {
    case file
    case directory
    case symbolicLink

    /// The type bits of `st_mode`. Source: man 7 inode.
    package var modeBits: mode_t {
        switch self {
        case .file: S_IFREG
        case .directory: S_IFDIR
        case .symbolicLink: S_IFLNK
        }
    }
}

/// The attributes of an inode as `stat` shows them.
package struct Attributes: Hashable, Sendable {
    /// `st_ino`: stable for a path, not the node number of the FUSE protocol.
    package var inodeNumber: UInt64
    package var kind: NodeKind
    /// Permission bits, without the type.
    package var permissions: mode_t
    package var linkCount: UInt64
    /// Bytes.
    package var size: UInt64
    /// Nanoseconds since 1970; used for mtime, ctime and atime alike.
    package var modifiedNanoseconds: Int64
    package var uid: uid_t
    package var gid: gid_t
    /// `st_blksize`: what programs use as their buffer size, so never small.
    package var preferredBlockBytes: UInt32

    package init(
        inodeNumber: UInt64, kind: NodeKind, permissions: mode_t, linkCount: UInt64, size: UInt64,
        modifiedNanoseconds: Int64, uid: uid_t, gid: gid_t, preferredBlockBytes: UInt32
    ) {
        self.inodeNumber = inodeNumber
        self.kind = kind
        self.permissions = permissions
        self.linkCount = linkCount
        self.size = size
        self.modifiedNanoseconds = modifiedNanoseconds
        self.uid = uid
        self.gid = gid
        self.preferredBlockBytes = preferredBlockBytes
    }

    /// The attributes in the kernel's form. `st_blocks` counts the whole size whatever is cached,
    /// so that no tool takes a file that is not downloaded yet for a sparse one.
    var status: stat {
        var status = stat()
        status.st_ino = ino_t(inodeNumber)
        status.st_mode = kind.modeBits | permissions
        status.st_nlink = nlink_t(linkCount)
        status.st_size = off_t(size)
        status.st_blocks = blkcnt_t((size + 511) / 512)
        status.st_blksize = blksize_t(preferredBlockBytes)
        status.st_uid = uid
        status.st_gid = gid
        let (seconds, nanoseconds) = floorDivide(modifiedNanoseconds, by: 1_000_000_000)
        let time = timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds))
        status.st_mtim = time
        status.st_ctim = time
        status.st_atim = time
        return status
    }
}

/// Division that rounds towards minus infinity, so that times before 1970 keep a positive rest.
private func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, rest: Int64) {
    let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
    return rest < 0 ? (quotient - 1, rest + divisor) : (quotient, rest)
}
