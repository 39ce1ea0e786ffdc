import Glibc
import Platform
import SystemPackage

/// Has the mounts of `hubfs run` seen by its program alone.
enum RunNamespaces {
    /// Leaves the namespaces of the caller. Without root's rights, also its user namespace.
    ///
    /// - Throws: `Failure` with code `fuseUnavailable` where that is not to be had.
    static func enter() throws(Failure) {
        do throws(Errno) {
            return try OwnNamespaces.leaveMounts()
        } catch .notPermitted {
            // An ordinary user, or root in a container.
        } catch {
            throw refused(error)
        }
        do {
            try OwnNamespaces.leaveUsersAndMounts()
        } catch {
            throw refused((error as? Errno) ?? .notPermitted)
        }
    }

    private static func refused(_ code: Errno) -> Failure {
        let reason =
            switch code {
            case .noSpace, .tooManyUsers:
                "the limit of user namespaces is reached: see user.max_user_namespaces (sysctl)"
            case .invalidArgument:
                "the root directory is no mount point, as in a plain chroot, and mounts in it could not be "
                    + "kept from others: bind it to itself before the chroot"
            default:
                "ordinary users may make no user namespace here (\(code)): root can allow it, see "
                    + "kernel.unprivileged_userns_clone or kernel.apparmor_restrict_unprivileged_userns "
                    + "(sysctl), or the container's seccomp profile"
            }
        return Failure(.fuseUnavailable, reason + "; 'hubfs mount' needs none")
    }
}
