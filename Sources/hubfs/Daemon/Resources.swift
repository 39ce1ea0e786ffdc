import CLinux
import Glibc

/// What the daemon takes of the system's resources.
enum Resources {
    /// Keeps memory small: by default glibc gives each thread a heap of its own, and keeps ever
    /// larger buffers in them once they were freed. Listings and pages of the API come and go in
    /// megabytes; what they used has to go back to the system.
    ///
    /// Source: man 3 mallopt.
    static func keepMemorySmall() {
        // The thresholds grow with use unless they are set.
        hubfs_limit_malloc(2, 128 << 10, 1 << 20)
    }

    /// Allows as many open files as the system permits: an open content holds two descriptors, and
    /// the usual soft limit is 1024. Source: man 2 setrlimit.
    static func allowManyFiles() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
