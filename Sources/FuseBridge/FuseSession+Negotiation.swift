import CFuse

extension FuseSession {
    /// Settles with the kernel what this connection can do. Called by libfuse at INIT.
    ///
    /// Only what the kernel offers may be wanted: libfuse ends the session otherwise.
    func negotiate(_ connection: inout fuse_conn_info) {
        // An answer is read into a buffer of our own; the splice path is slower at 1 MiB.
        connection.want &= ~UInt32(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE)
        connection.want &= ~UInt32(FUSE_CAP_SPLICE_MOVE)
        // Contents never change under a node, so pages need no check by mtime; hubfs says when.
        connection.want &= ~UInt32(FUSE_CAP_AUTO_INVAL_DATA)
        // Locks stay in the kernel: one machine, one mount.
        connection.want &= ~UInt32(FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS)
        let wanted =
            FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO
            | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ | FUSE_CAP_CACHE_SYMLINKS
        connection.want |= UInt32(wanted) & connection.capable
        // With the default of 12, a dozen reads that wait for a slow file stop the reads of every
        // other file. Our own budgets bound the work instead.
        connection.max_background = 4096
        connection.congestion_threshold = 4096
    }
}
