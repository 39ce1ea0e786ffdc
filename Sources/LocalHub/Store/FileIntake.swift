import Foundation
import Glibc

/// A file on its way in: written aside, named once it is whole.
///
/// Dropped before `finish`, it leaves nothing. Not shared between threads; calls may come from
/// different ones, one after the other.
final class FileIntake {
    private let path: String
    private let fd: Int32
    private(set) var size = 0

    enum Failure: Error {
        /// open, write, ftruncate or rename failed with this errno.
        case file(Int32)
    }

    /// - Parameter folder: on the file system where the file is to be.
    init(in folder: String) throws {
        path = "\(folder)/\(UUID().uuidString)"
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard fd >= 0 else { throw Failure.file(errno) }
    }

    /// Takes over a file that is whole.
    ///
    /// - Returns: nil if there is none.
    init?(adopting path: String) {
        var status = stat()
        self.path = path
        fd = open(path, O_RDWR | O_CLOEXEC)
        guard fd >= 0, fstat(fd, &status) == 0 else { return nil }
        size = Int(status.st_size)
    }

    deinit {
        if fd >= 0 { close(fd) }
        unlink(path)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        var written = 0
        while written < bytes.count {
            let count = write(fd, bytes.baseAddress.map { $0 + written }, bytes.count - written)
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure.file(errno)
            }
            written += count
        }
        size += bytes.count
    }

    /// Hands out what was written so far.
    func withContents<Result>(
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        try Self.withContents(of: path, body)
    }

    /// Hands out a file's bytes without reading them into memory of its own.
    ///
    /// - Throws: what `body` throws, or a Foundation error if there is no such file.
    static func withContents<Result>(
        of path: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        try Data(contentsOf: URL(filePath: path), options: .alwaysMapped).withUnsafeBytes(body)
    }

    /// Drops what lies behind the first bytes.
    func shorten(to count: Int) throws {
        guard ftruncate(fd, off_t(count)) == 0 else { throw Failure.file(errno) }
        size = count
    }

    /// Gives the file its name, in a folder that is made if need be.
    func finish(as target: String) throws {
        try FileManager.default.createDirectory(
            atPath: (target as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true)
        guard rename(path, target) == 0 else { throw Failure.file(errno) }
    }

    /// Gives the file its name unless there is one of that name.
    ///
    /// - Returns: whether there was none.
    func finish(asNew target: String) throws -> Bool {
        if link(path, target) == 0 { return true }
        guard errno == EEXIST else { throw Failure.file(errno) }
        return false
    }
}
