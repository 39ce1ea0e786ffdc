import CLinux
import Glibc
package import SystemPackage

/// Namespaces that this process leaves for ones of its own. Source: man 7 namespaces.
package enum OwnNamespaces {
    private static let newMounts: Int32 = 0x0002_0000  // CLONE_NEWNS, hidden behind _GNU_SOURCE
    private static let newUser: Int32 = 0x1000_0000  // CLONE_NEWUSER

    /// Gives this process its own list of mounts: nobody else sees what it mounts from now on, and
    /// the list goes with the last process that has it. Takes root's rights.
    package static func leaveMounts() throws(Errno) {
        try check { Int(hubfs_unshare(newMounts)) }
        try keepMountsPrivate()
    }

    /// The same for anybody: in a user namespace whose only user and group are the caller's own, under
    /// their own numbers. The caller has every right over the new list of mounts, up to its next
    /// `exec`. Only for a process of one thread. Source: man 7 user_namespaces.
    package static func leaveUsersAndMounts() throws {
        let (uid, gid) = (geteuid(), getegid())
        try check { Int(hubfs_unshare(newUser | newMounts)) }
        // Without it the kernel takes no map of groups from an ordinary user.
        try write("deny", to: "/proc/self/setgroups")
        try write("\(uid) \(uid) 1\n", to: "/proc/self/uid_map")
        try write("\(gid) \(gid) 1\n", to: "/proc/self/gid_map")
        try keepMountsPrivate()
    }

    /// The list begins as a copy that may pass changes on to the original.
    private static func keepMountsPrivate() throws(Errno) {
        let flags = UInt(1 << 14 | 1 << 18)  // MS_REC | MS_PRIVATE; source: man 2 mount
        try check { Int(mount("none", "/", nil, flags, nil)) }
    }

    /// The kernel takes each of these files by one write.
    private static func write(_ text: String, to path: String) throws {
        let file = try FileDescriptor.open(FilePath(path), .writeOnly, options: [.closeOnExec])
        defer { try? file.close() }
        _ = try file.writeAll(text.utf8)
    }
}
