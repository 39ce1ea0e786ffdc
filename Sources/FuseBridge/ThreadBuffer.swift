import Glibc

/// One reusable buffer for each thread that answers reads.
///
/// `pread` into a warm buffer followed by one write to the kernel is three times cheaper than any
/// splice path and does not allocate (docs/decisions/0002-read-path.md).
package enum ThreadBuffer {
    /// Largest answer: the kernel asks for at most 1 MiB at a time (max_pages 256).
    package static let byteCount = 1 << 20

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key) { free($0) }
        precondition(status == 0, "no thread-specific key is left: errno \(status)")
        return key
    }()

    /// Runs `body` with this thread's buffer, cut to `count` bytes. Not reentrant.
    package static func withBytes<Result>(
        count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Result
    ) -> Result {
        precondition(count <= byteCount, "the kernel asked for \(count) bytes at once")
        let buffer = UnsafeMutableRawBufferPointer(start: threadBuffer(), count: count)
        return body(buffer)
    }

    private static func threadBuffer() -> UnsafeMutableRawPointer {
        if let known = pthread_getspecific(key) { return known }
        let fresh = aligned_alloc(4096, byteCount)!
        pthread_setspecific(key, fresh)
        return fresh
    }
}
