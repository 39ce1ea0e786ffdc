import CFuse
import Glibc
import Synchronization

/// What libfuse 3.14 does not know how to say in its answer to INIT, added on the way to the
/// kernel.
///
/// That is FUSE_HANDLE_KILLPRIV_V2: setuid bits and file capabilities are the file system's
/// business. Without it the kernel asks for `security.capability` before every single write.
/// hubfs keeps neither, so there is nothing to do for it. A kernel that does not know the flag
/// (before 5.11) ignores it.
///
/// Source: linux/fuse.h (`fuse_init_out`), linux fs/fuse/file.c (`file_remove_privs`).
final class InitAmendment: Sendable {
    private static let handleKillprivV2: UInt32 = 1 << 28
    /// Of `fuse_init_out` since protocol 7.23.
    private static let replyByteCount = 64
    private static let flagsOffset = 12

    /// INIT's is the first reply there is: the kernel asks for nothing else before.
    private let isDone = Atomic(false)

    /// Puts itself between libfuse and the kernel.
    ///
    /// - Parameter session: Mounted, its user data a `FuseSession`.
    func install(in session: OpaquePointer) {
        var io = fuse_custom_io()
        io.read = { file, buffer, count, _ in read(file, buffer, count) }
        io.writev = { file, parts, count, userdata in
            let session = Unmanaged<FuseSession>.fromOpaque(userdata!).takeUnretainedValue()
            session.initAmendment.amend(UnsafeBufferPointer(start: parts, count: Int(count)))
            return writev(file, parts, count)
        }
        let status = fuse_session_custom_io(session, &io, fuse_session_fd(session))
        precondition(status == 0, "libfuse refused a descriptor of its own: \(status)")
    }

    /// - Parameter parts: A reply as libfuse sends it: its header, then its body.
    private func amend(_ parts: UnsafeBufferPointer<iovec>) {
        guard !isDone.load(ordering: .relaxed) else { return }
        isDone.store(true, ordering: .relaxed)
        // Anything else is INIT refused, or a protocol of before 2013.
        guard parts.count == 2, parts[1].iov_len == Self.replyByteCount else { return }
        let flags = parts[1].iov_base.advanced(by: Self.flagsOffset)
            .assumingMemoryBound(to: UInt32.self)
        flags.pointee |= Self.handleKillprivV2
    }
}
