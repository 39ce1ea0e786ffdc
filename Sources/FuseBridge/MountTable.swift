import CFuse
import Glibc
package import SystemPackage

/// One line of /proc/self/mountinfo. Source: man 5 proc_pid_mountinfo.
package struct MountRecord: Hashable, Sendable {
    /// `major:minor` of the mounted file system, as it is written there.
    package let device: String
    package let mountPoint: String
    /// Such as `ext4` or `fuse.hubfs`.
    package let type: String
    /// Who has mounted it, of a FUSE file system; nil of others.
    package let userID: UInt32?

    /// True for a mount of ours.
    package var isOurs: Bool { type == "fuse.hubfs" }

    /// Parses one line; nil when it does not have the documented form.
    package init?(line: some StringProtocol) {
        let fields = line.split(separator: " ")
        guard fields.count > 6, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count
        else { return nil }
        device = String(fields[2])
        mountPoint = Self.unescape(fields[4])
        type = String(fields[dash + 1])
        let options = fields.last?.split(separator: ",") ?? []
        userID = options.first { $0.hasPrefix("user_id=") }
            .flatMap { UInt32($0.dropFirst("user_id=".count)) }
    }

    /// Spaces, tabs, newlines and backslashes are written as three octal digits.
    private static func unescape(_ field: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The mounts this process sees.
package enum MountTable {
    /// All mounts, in the order they were made; of several at one path the last is on top.
    ///
    /// - Parameter process: Whose; nil for this one. A process may be in another mount namespace.
    package static func records(of process: Int32? = nil) -> [MountRecord] {
        let name = process.map(String.init) ?? "self"
        guard let text = readText("/proc/\(name)/mountinfo") else { return [] }
        return text.split(separator: "\n").compactMap { MountRecord(line: $0) }
    }

    /// The mount on top at exactly this path.
    package static func record(at path: String, of process: Int32? = nil) -> MountRecord? {
        records(of: process).last { $0.mountPoint == path }
    }
}

/// What is done at a mount point from outside the mount.
package enum MountPoint {
    /// Unmounts the way `umount` does: refused with EBUSY while somebody uses the mount.
    ///
    /// - Parameter lazily: Takes the mount out of the tree at once and lets its users finish.
    /// - Throws: `FuseError.unmountFailed`.
    package static func unmount(_ path: String, lazily: Bool = false) throws(FuseError) {
        let flags: Int32 = 8 | (lazily ? 2 : 0)  // UMOUNT_NOFOLLOW, MNT_DETACH; man 2 umount
        if umount2(path, flags) == 0 { return }
        let code = errno
        guard code == EPERM else { throw .unmountFailed(path: path, Errno(rawValue: code)) }
        try unmountByHelper(path, lazily: lazily)
    }

    /// Shows a mount at another path too. Neither its server nor what is mounted at the path is asked anything.
    ///
    /// - Parameter isReadOnly: There alone. Source: man 2 mount.
    package static func bind(
        _ source: String, to path: String, isReadOnly: Bool
    ) throws(Errno) {
        let (readOnly, remount, bind): (UInt, UInt, UInt) = (1, 32, 4096)  // MS_RDONLY, …
        guard mount(source, path, nil, bind, nil) == 0 else { throw Errno(rawValue: errno) }
        // One call cannot do both.
        guard isReadOnly, mount(nil, path, nil, bind | remount | readOnly, nil) != 0 else { return }
        let code = Errno(rawValue: errno)
        umount2(path, 8 | 2)
        throw code
    }

    /// Takes away a mount of ours whose server is dead.
    ///
    /// - Returns: true when there was one.
    package static func removeStale(_ path: String) throws(FuseError) -> Bool {
        var status = stat()
        guard stat(path, &status) != 0, errno == ENOTCONN else { return false }
        guard let record = MountTable.record(at: path), record.isOurs else { return false }
        try unmount(path, lazily: true)
        return true
    }

    /// Not root: fusermount3 is setuid and unmounts what the user mounted.
    private static func unmountByHelper(_ path: String, lazily: Bool) throws(FuseError) {
        let words = ["fusermount3", "-u"] + (lazily ? ["-z"] : []) + ["--", path]
        var argv = words.map { strdup($0) } + [nil]
        defer { for word in argv { free(word) } }
        var child = pid_t()
        let code = posix_spawnp(&child, "fusermount3", nil, nil, &argv, environ)
        guard code == 0 else { throw .unmountFailed(path: path, Errno(rawValue: code)) }
        var status: Int32 = 0
        while waitpid(child, &status, 0) == -1, errno == EINTR {}
        if status != 0 { throw .unmountFailed(path: path, .resourceBusy) }
    }
}

/// The whole of a small file of the kernel's, whose size `stat` does not tell.
private func readText(_ path: String) -> String? {
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly) else { return nil }
    defer { try? file.close() }
    var bytes: [UInt8] = []
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
    defer { chunk.deallocate() }
    while let count = try? file.read(into: chunk), count > 0 {
        bytes.append(contentsOf: chunk[..<count])
    }
    return String(decoding: bytes, as: UTF8.self)
}
