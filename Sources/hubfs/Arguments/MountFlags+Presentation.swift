import Glibc
import RepoFS

extension MountFlags {
    /// How owners and permissions are shown.
    var presentation: Presentation {
        Presentation(
            uid: uid ?? geteuid(), gid: gid ?? getegid(), umask: umask?.bits ?? 0o022)
    }
}
