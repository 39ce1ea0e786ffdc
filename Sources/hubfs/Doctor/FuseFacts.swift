import Glibc
import Platform
import SystemPackage

/// What this machine and this user can do with FUSE.
struct FuseFacts {
    enum Device: Hashable {
        case usable
        case missing
        case refused(Errno)
    }

    let isRoot: Bool
    /// Without fusermount3: root, and who is in namespaces of their own.
    let mountsByItself: Bool
    let device: Device
    /// Where fusermount3 was found; nil when nowhere.
    let helper: String?
    let isHelperSetuid: Bool
    /// `user_allow_other` stands in /etc/fuse.conf.
    let othersAreAllowed: Bool

    static var current: FuseFacts {
        let helper = findHelper()
        return FuseFacts(
            isRoot: geteuid() == 0, mountsByItself: geteuid() == 0 || holdsMountRight(),
            device: openDevice(), helper: helper,
            isHelperSetuid: helper.map(isSetuid) ?? false,
            othersAreAllowed: readConfiguration().contains("user_allow_other"))
    }

    /// Why nothing can be mounted, and what to do; nil when nothing is known to be in the way.
    var obstacle: String? {
        switch device {
        case .missing:
            return "/dev/fuse does not exist: load the module with 'modprobe fuse', and give "
                + "containers --device /dev/fuse"
        case .refused(let code):
            return "/dev/fuse cannot be opened (\(code)): give yourself read and write permission "
                + "to it"
        case .usable: break
        }
        if mountsByItself { return nil }
        if helper == nil { return "fusermount3 is missing: install the package fuse3" }
        if !isHelperSetuid {
            return
                "fusermount3 is not setuid root: run 'chmod u+s \(helper ?? "fusermount3")' as root"
        }
        return nil
    }

    /// Why `--allow-other` would fail; nil when it would not.
    var allowOtherObstacle: String? {
        if mountsByItself || othersAreAllowed { return nil }
        return
            "other users may see mounts of yours only if root puts a line 'user_allow_other' into "
            + "/etc/fuse.conf"
    }

    /// CAP_SYS_ADMIN, number 21, among the rights in force. Source: man 5 proc_pid_status, CapEff.
    private static func holdsMountRight() -> Bool {
        let name = "CapEff:"
        let lines = ((try? readSmallFile("/proc/self/status")) ?? "").split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix(name) }),
            let rights = UInt64(line.dropFirst(name.count).filter { !$0.isWhitespace }, radix: 16)
        else { return false }
        return rights >> 21 & 1 == 1
    }

    private static func openDevice() -> Device {
        let descriptor = open("/dev/fuse", O_RDWR | O_CLOEXEC)
        if descriptor >= 0 {
            close(descriptor)
            return .usable
        }
        let code = Errno(rawValue: errno)
        return code == .noSuchFileOrDirectory ? .missing : .refused(code)
    }

    private static func findHelper() -> String? {
        // libfuse looks into its own folder first, whatever PATH says.
        let folders = (getenv("PATH").map { String(cString: $0) } ?? "") + ":/usr/bin:/bin"
        return folders.split(separator: ":").map { $0 + "/fusermount3" }.first {
            access($0, X_OK) == 0
        }
    }

    private static func isSetuid(_ path: String) -> Bool {
        guard let facts = try? FileFacts(FilePath(path), followsLinks: true) else { return false }
        return facts.ownerID == 0 && facts.mode & UInt32(S_ISUID) != 0
    }

    /// The lines of /etc/fuse.conf without blanks and comments.
    private static func readConfiguration() -> [String] {
        guard let text = try? readSmallFile("/etc/fuse.conf") else { return [] }
        return text.split(separator: "\n").map { line in
            line.prefix { $0 != "#" }.filter { !$0.isWhitespace }
        }
    }
}
