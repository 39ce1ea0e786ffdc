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
        if isWritable { negotiateWriting(&connection) }
    }

    /// What a writable mount needs besides. libfuse asks for writes of more than a page (big writes) by
    /// itself. Lookups and listings of one directory come one after the other: see `InitAmendment`.
    private func negotiateWriting(_ connection: inout fuse_conn_info) {
        // The most there is (max_pages 256). libfuse sizes its buffers and max_pages by it.
        connection.max_write = UInt32(ThreadBuffer.byteCount)
        // A write is answered when we have it: what is still in the kernel when the daemon dies
        // would be lost without an error.
        connection.want &= ~UInt32(FUSE_CAP_WRITEBACK_CACHE)
        // O_TRUNC comes with the open. Otherwise a setattr comes first: one request more for each
        // file that is rewritten, and the file is empty even if the open is then refused.
        connection.want |= UInt32(FUSE_CAP_ATOMIC_O_TRUNC) & connection.capable
        // Setuid and setgid bits never reach the file system, so none have to be taken away.
        // `InitAmendment` says the same of capabilities.
        connection.want |= UInt32(FUSE_CAP_HANDLE_KILLPRIV) & connection.capable
        // Permissions are the mode's, and umask is the kernel's business.
        connection.want &= ~UInt32(FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK)
    }
}
