import CLinux
package import Glibc
package import SystemPackage

/// Linux calls on file descriptors that swift-system leaves out. Each throws the `Errno` of its
/// man page and is repeated on EINTR.
extension FileDescriptor {
    /// Writes all of `bytes` at `offset`, however many calls it takes. Source: man 2 pwrite.
    package func writeWhole(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
        var written = 0
        while written < bytes.count {
            let count = try check {
                Glibc.pwrite(
                    rawValue, bytes.baseAddress! + written, bytes.count - written,
                    Int(offset) + written)
            }
            guard count > 0 else { throw Errno.ioError }
            written += count
        }
    }

    /// Reads until `buffer` is full or the file ends. Source: man 2 pread.
    ///
    /// - Returns: the number of bytes read, less than asked for only at the end of the file.
    package func readWhole(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(Errno) -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = try check {
                Glibc.pread(
                    rawValue, buffer.baseAddress! + filled, buffer.count - filled,
                    Int(offset) + filled)
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// What `flock` does to the open file description. Source: man 2 flock.
    package enum Lock: Int32 {
        case shared = 1
        case exclusive = 2
        case unlock = 8
    }

    /// Takes, changes or drops the whole-file lock.
    ///
    /// - Returns: false when another process holds a lock in the way and `waits` is false.
    package func lock(_ lock: Lock, waits: Bool) throws(Errno) -> Bool {
        do {
            try check { Int(flock(rawValue, lock.rawValue | (waits ? 0 : LOCK_NB))) }
            return true
        } catch Errno.wouldBlock {
            return false
        }
    }

    /// Whether anybody else has the file open or mapped, the kernel itself included: it keeps a file of
    /// ours open for those who read it by passthrough, without a lock that could be seen.
    ///
    /// Asks for a write lease, which is given only where there is nobody else, and gives it back.
    /// Source: man 2 fcntl (F_SETLEASE).
    ///
    /// - Returns: false also where leases are not to be had, as on some file systems.
    package func isOpenElsewhere() -> Bool {
        // F_SETSIG: who opens the file in between would have us killed by SIGIO. SIGURG is ignored.
        _ = fcntl(rawValue, LeaseCommand.setSignal, SIGURG)
        guard fcntl(rawValue, LeaseCommand.setLease, Int32(F_WRLCK)) == 0 else {
            return errno == EAGAIN
        }
        _ = fcntl(rawValue, LeaseCommand.setLease, Int32(F_UNLCK))
        return false
    }

    /// Sets the file's size. Source: man 2 ftruncate.
    package func truncate(to size: UInt64) throws(Errno) {
        try check { Int(ftruncate(rawValue, Int(size))) }
    }

    /// Puts the file's bytes, and the metadata needed to read them, on disk. Source: man 2 fdatasync.
    package func syncData() throws(Errno) {
        try check { Int(fdatasync(rawValue)) }
    }

    /// Puts the file, or a directory's entries, on disk. Source: man 2 fsync.
    package func sync() throws(Errno) {
        try check { Int(fsync(rawValue)) }
    }

    /// Puts everything of the file system that holds the file on disk. Source: man 2 syncfs.
    package func syncFileSystem() throws(Errno) {
        try check { Int(hubfs_syncfs(rawValue)) }
    }

    /// How long the file is. Source: man 2 fstat.
    package func byteCount() throws(Errno) -> Int { Int(try status().st_size) }

    /// The file's metadata. Source: man 2 fstat.
    package func status() throws(Errno) -> Glibc.stat {
        var status = Glibc.stat()
        try check { Int(fstat(rawValue, &status)) }
        return status
    }
}

/// Hidden behind _GNU_SOURCE. Source: linux/fcntl.h.
private enum LeaseCommand {
    static let setSignal: Int32 = 10
    static let setLease: Int32 = 1024
}

/// Calls `body` until it is not interrupted, and throws `errno` when it returns -1.
@discardableResult
package func check(_ body: () -> Int) throws(Errno) -> Int {
    while true {
        let result = body()
        if result != -1 { return result }
        let code = errno
        if code != EINTR { throw Errno(rawValue: code) }
    }
}
