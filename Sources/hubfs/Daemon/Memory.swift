import CLinux

/// How the C library keeps memory that was given back.
enum Memory {
    /// Keeps the daemon small: by default glibc gives each thread a heap of its own, and keeps ever
    /// larger buffers in them once they were freed. Listings and pages of the API come and go in
    /// megabytes; what they used has to go back to the system.
    ///
    /// Source: man 3 mallopt.
    static func keepSmall() {
        // The thresholds grow with use unless they are set.
        hubfs_limit_malloc(2, 128 << 10, 1 << 20)
    }
}
