import Glibc
import Platform
import Synchronization
import SystemPackage

/// A log file that does not grow for ever: when full it becomes `NAME.1` and a new one begins.
///
/// Lines are written by single writes in append mode, so threads need no lock between them.
final class LogFile: Sendable {
    static let bytesMax = 10_000_000

    let path: FilePath
    /// Keeps its number when the file is replaced, so that other threads write on undisturbed.
    private let descriptor: FileDescriptor
    private let written: Atomic<Int>
    private let holdsStandardStreams = Atomic(false)

    /// Opens the file for appending; makes it, and its folder, when missing.
    ///
    /// - Throws: `Failure` with code `localStorage`.
    init(_ path: String) throws(Failure) {
        self.path = FilePath(path)
        do throws(Errno) {
            try Folder.create(self.path.removingLastComponent())
            descriptor = try Self.open(self.path)
            written = Atomic(try descriptor.byteCount())
        } catch {
            throw Failure(
                .localStorage,
                "the log file \(path) cannot be written: \(error); --log-file names another")
        }
    }

    /// Adds a line, which ends with a newline. A disk that is full costs lines, not the mount.
    func append(_ line: String) {
        let count = (try? descriptor.writeAll(line.utf8)) ?? 0
        let (_, total) = written.add(count, ordering: .relaxed)
        // Exactly one thread crosses the limit.
        if total > Self.bytesMax, total - count <= Self.bytesMax { rotate() }
    }

    /// Sends stdout and stderr here from now on: messages of libraries, and of a crash.
    func takeStandardStreams() {
        holdsStandardStreams.store(true, ordering: .relaxed)
        redirectStandardStreams()
    }

    private func rotate() {
        rename(path.string, path.string + ".1")
        guard let next = try? Self.open(path) else { return }
        dup2(next.rawValue, descriptor.rawValue)
        try? descriptor.closeOnExec()
        try? next.close()
        written.store(0, ordering: .relaxed)
        if holdsStandardStreams.load(ordering: .relaxed) { redirectStandardStreams() }
    }

    private func redirectStandardStreams() {
        dup2(descriptor.rawValue, STDOUT_FILENO)
        dup2(descriptor.rawValue, STDERR_FILENO)
    }

    private static func open(_ path: FilePath) throws(Errno) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW
        let descriptor = try check { Int(Glibc.open(path.string, flags, 0o600)) }
        return FileDescriptor(rawValue: Int32(descriptor))
    }
}
