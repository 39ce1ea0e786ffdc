import Glibc
import NIOCore
import Synchronization

/// A part of a file, read piece by piece on the blocking threads while it is sent.
final class FileBody: BodyPieces {
    enum Failure: Error {
        /// open or pread failed with this errno.
        case file(Int32)
        /// The file is shorter than it was.
        case endedEarly
    }

    private let fd: Int32
    private let blocking: Blocking
    private let position: Mutex<Int>

    init(path: String, offset: Int, blocking: Blocking) throws {
        fd = open(path, O_RDONLY | O_CLOEXEC)
        self.blocking = blocking
        position = Mutex(offset)
        if fd < 0 { throw Failure.file(errno) }
    }

    deinit {
        if fd >= 0 { close(fd) }
    }

    func next(max: Int) async throws -> ByteBuffer {
        let offset = position.withLock { $0 }
        let piece = try await blocking.run { [self] in try read(max, at: offset) }
        position.withLock { $0 += piece.readableBytes }
        return piece
    }

    private func read(_ count: Int, at offset: Int) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        var failure: Int32 = 0
        let got = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { raw in
            while true {
                let got = pread(fd, raw.baseAddress, count, off_t(offset))
                if got >= 0 { return got }
                failure = errno
                if failure != EINTR { return 0 }
            }
        }
        guard failure == 0 || failure == EINTR else { throw Failure.file(failure) }
        guard got > 0 else { throw Failure.endedEarly }
        return buffer
    }
}
