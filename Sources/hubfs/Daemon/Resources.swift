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

    /// Lets go of the code that was needed so far. Most of it is not needed again: the loader's work,
    /// the arguments, the way to a mount. Two thirds of what a fresh daemon has resident are such
    /// pages, and they would be its own until its end.
    ///
    /// They stay in the page cache, from where the kernel maps again, within microseconds, what the
    /// daemon goes on to use. Source: man 2 madvise, man 3 dl_iterate_phdr.
    static func forgetCodeOfTheStart() { hubfs_forget_code() }

    /// Allows as many open files as the system permits: an open content holds two descriptors, and
    /// the usual soft limit is 1024. Source: man 2 setrlimit.
    static func allowManyFiles() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
