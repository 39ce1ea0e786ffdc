import FuseBridge
import Glibc

extension Check {
    /// Device, helper and rights.
    static func fuse(_ facts: FuseFacts) -> [Check] {
        [device(facts), helper(facts), allowOther(facts), readahead(facts)]
    }

    private static func device(_ facts: FuseFacts) -> Check {
        switch facts.device {
        case .usable: .ok("fuse device", "/dev/fuse can be opened")
        case .missing:
            .fail(
                "fuse device", "/dev/fuse does not exist",
                fix: "load the module with 'modprobe fuse'; give containers --device /dev/fuse")
        case .refused(let code):
            .fail(
                "fuse device", "/dev/fuse cannot be opened: \(code)",
                fix: "give yourself read and write permission to it")
        }
    }

    private static func helper(_ facts: FuseFacts) -> Check {
        let name = "fusermount3"
        guard let path = facts.helper else {
            let fix = "install the package fuse3"
            return facts.isRoot
                ? .warn(name, "not found; root mounts without it, others cannot", fix: fix)
                : .fail(name, "not found, and only root mounts without it", fix: fix)
        }
        if facts.isHelperSetuid { return .ok(name, "\(path), setuid root") }
        let fix = "run 'chmod u+s \(path)' as root"
        return facts.isRoot
            ? .warn(name, "\(path) is not setuid root: only root can mount", fix: fix)
            : .fail(name, "\(path) is not setuid root", fix: fix)
    }

    private static func allowOther(_ facts: FuseFacts) -> Check {
        if facts.othersAreAllowed {
            return .ok("allow_other", "user_allow_other stands in /etc/fuse.conf")
        }
        if facts.isRoot { return .ok("allow_other", "permitted to root") }
        return .warn(
            "allow_other", "user_allow_other does not stand in /etc/fuse.conf",
            fix: "for --allow-other only: let root add the line 'user_allow_other'")
    }

    private static func readahead(_ facts: FuseFacts) -> Check {
        if facts.isRoot, access("/sys/class/bdi", W_OK) == 0 {
            return .ok("readahead", "can be raised to 1 MiB")
        }
        return .warn(
            "readahead", "stays at the kernel's 128 KiB: raising it needs root",
            fix: "mount as root where large files are read for the first time often")
    }
}
