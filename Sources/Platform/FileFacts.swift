import Glibc
package import SystemPackage

/// What is known of a file by its name, as far as the program's commands need it.
///
/// They have the fields of `stat` from here: where a module that they use imports CoreFoundation, as
/// swift-certificates does, the compiler takes that for the module that declares them.
package struct FileFacts: Hashable, Sendable {
    package let inode: UInt64
    package let ownerID: UInt32
    /// Permissions, and the bits for setuid, setgid and sticky.
    package let mode: UInt32
    package let isFolder: Bool
    package let isSocket: Bool

    /// - Parameter followsLinks: Looks at what a symbolic link leads to.
    /// - Throws: `Errno` of lstat or stat. Source: man 2 stat.
    package init(_ path: FilePath, followsLinks: Bool) throws(Errno) {
        var status = Glibc.stat()
        let result = followsLinks ? stat(path.string, &status) : lstat(path.string, &status)
        guard result == 0 else { throw Errno(rawValue: errno) }
        inode = UInt64(status.st_ino)
        ownerID = status.st_uid
        mode = status.st_mode & 0o7777
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        isSocket = status.st_mode & S_IFMT == S_IFSOCK
    }
}
