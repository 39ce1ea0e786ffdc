import FuseBridge
package import Glibc

/// How a mount shows owners and permissions, which repos do not have.
package struct Presentation: Hashable, Sendable {
    package var uid: uid_t
    package var gid: gid_t
    /// Permission bits taken away from 0666 for files and from 0777 for directories.
    package var umask: mode_t

    package init(uid: uid_t, gid: gid_t, umask: mode_t) {
        self.uid = uid
        self.gid = gid
        self.umask = umask
    }

    /// `st_blksize`: Python and cp read and write in pieces of this size.
    static let preferredBlockBytes: UInt32 = 128 << 10

    func attributes(
        inodeNumber: UInt64, kind: NodeKind, size: UInt64, modifiedNanoseconds: Int64
    ) -> Attributes {
        Attributes(
            inodeNumber: inodeNumber, kind: kind,
            permissions: (kind == .directory ? 0o777 : 0o666) & ~umask,
            // 1 tells find(1) that the number of subdirectories cannot be derived from it.
            linkCount: 1, size: size, modifiedNanoseconds: modifiedNanoseconds, uid: uid, gid: gid,
            preferredBlockBytes: Self.preferredBlockBytes)
    }
}
