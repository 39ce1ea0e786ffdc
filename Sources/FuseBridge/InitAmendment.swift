import CFuse
import Glibc
import Synchronization

/// What libfuse 3.14 does not know how to say in its answer to INIT, added on the way to the
/// kernel.
///
/// - On a writable mount FUSE_HANDLE_KILLPRIV_V2: setuid bits and file capabilities are the file
///   system's business. Without it the kernel asks for `security.capability` before every single
///   write. hubfs keeps neither, so there is nothing to do for it. A kernel that does not know the
///   flag (before 5.11) ignores it.
/// - On one that is read only FUSE_PARALLEL_DIROPS, if the kernel offers it: libfuse 3.14 is told that it
///   is wanted, and forgets to say so. Without it the kernel asks for one name of a directory after the
///   other, and a lookup that waits for the Hub holds up all others there.
/// - On the same FUSE_PASSTHROUGH, if the kernel offers it and there are `BackingFiles`.
///
/// Source: linux/fuse.h (`fuse_init_in`, `fuse_init_out`), linux fs/fuse/file.c
/// (`file_remove_privs`), linux fs/fuse/inode.c (`process_init_reply`).
final class InitAmendment: Sendable {
    private static let parallelDirops: UInt32 = 1 << 18
    private static let handleKillprivV2: UInt32 = 1 << 28
    /// Says that there is a second word of flags.
    private static let hasMoreFlags: UInt32 = 1 << 30
    /// In the second word.
    private static let passthrough: UInt32 = 1 << 5

    /// In a request, from the start of its header.
    private enum Request {
        static let operationOffset = 4
        static let initOperation: UInt32 = 26
        static let flagsOffset = 52
        static let moreFlagsOffset = 56
        static let byteCount = 60
    }

    /// In the body of the answer.
    private enum Answer {
        static let flagsOffset = 12
        static let moreFlagsOffset = 32
        static let stackDepthOffset = 36
        /// Since protocol 7.23.
        static let byteCount = 64
    }

    /// INIT's is the first reply there is: the kernel asks for nothing else before.
    private let isDone = Atomic(false)
    private let isPassthroughOffered = Atomic(false)
    private let areParallelDiropsOffered = Atomic(false)
    private let isWritable: Bool
    private let backingFiles: BackingFiles?

    init(isWritable: Bool, backingFiles: BackingFiles?) {
        self.isWritable = isWritable
        self.backingFiles = backingFiles
    }

    /// Puts itself between libfuse and the kernel.
    ///
    /// - Parameter session: Mounted, its user data a `FuseSession`.
    func install(in session: OpaquePointer) {
        var io = fuse_custom_io()
        io.read = { file, buffer, count, userdata in
            let count = read(file, buffer, count)
            if let buffer, count > 0 {
                InitAmendment.of(userdata).look(
                    at: UnsafeRawBufferPointer(start: buffer, count: count))
            }
            return count
        }
        io.writev = { file, parts, count, userdata in
            let parts = UnsafeMutableBufferPointer(start: parts, count: Int(count))
            InitAmendment.of(userdata).amend(UnsafeBufferPointer(parts), device: file)
            return writev(file, parts.baseAddress, count)
        }
        let status = fuse_session_custom_io(session, &io, fuse_session_fd(session))
        precondition(status == 0, "libfuse refused a descriptor of its own: \(status)")
    }

    private static func of(_ userdata: UnsafeMutableRawPointer?) -> InitAmendment {
        Unmanaged<FuseSession>.fromOpaque(userdata!).takeUnretainedValue().initAmendment
    }

    /// - Parameter request: As the kernel sent it.
    private func look(at request: UnsafeRawBufferPointer) {
        guard !isDone.load(ordering: .relaxed), request.count >= Request.byteCount,
            request.load(fromByteOffset: Request.operationOffset, as: UInt32.self)
                == Request.initOperation
        else { return }
        let flags = request.load(fromByteOffset: Request.flagsOffset, as: UInt32.self)
        let moreFlags = request.load(fromByteOffset: Request.moreFlagsOffset, as: UInt32.self)
        areParallelDiropsOffered.store(flags & Self.parallelDirops != 0, ordering: .relaxed)
        isPassthroughOffered.store(
            flags & Self.hasMoreFlags != 0 && moreFlags & Self.passthrough != 0,
            ordering: .relaxed)
    }

    /// - Parameter parts: A reply as libfuse sends it: its header, then its body.
    private func amend(_ parts: UnsafeBufferPointer<iovec>, device: Int32) {
        guard !isDone.load(ordering: .relaxed) else { return }
        isDone.store(true, ordering: .relaxed)
        // Anything else is INIT refused, or a protocol of before 2013.
        guard parts.count == 2, parts[1].iov_len == Answer.byteCount,
            let body = parts[1].iov_base
        else { return }
        func add(_ value: UInt32, at offset: Int) {
            let field = body.advanced(by: offset).assumingMemoryBound(to: UInt32.self)
            field.pointee |= value
        }
        if isWritable {
            add(Self.handleKillprivV2, at: Answer.flagsOffset)
        } else if areParallelDiropsOffered.load(ordering: .relaxed) {
            add(Self.parallelDirops, at: Answer.flagsOffset)
        }
        guard let backingFiles, isPassthroughOffered.load(ordering: .relaxed) else { return }
        add(Self.hasMoreFlags, at: Answer.flagsOffset)
        add(Self.passthrough, at: Answer.moreFlagsOffset)
        add(backingFiles.stackDepth, at: Answer.stackDepthOffset)
        backingFiles.begin(device: device)
    }
}
