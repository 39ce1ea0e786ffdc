import Glibc
import Platform
import Synchronization
import SystemPackage

/// The daemon's end of the pipe on which it reports that the mount works.
///
/// Whoever started the daemon waits at the other end. If that process goes away first, because it was
/// interrupted, nobody wants the mount: the daemon ends as by SIGTERM.
final class Readiness: Sendable {
    private let pipe: FileDescriptor
    private let isReported = Atomic(false)

    /// Takes the descriptor given on the command line. Call when SIGTERM is taken care of.
    init(_ rawDescriptor: CInt) throws(Failure) {
        pipe = FileDescriptor(rawValue: rawDescriptor)
        do throws(Errno) {
            // fusermount3, which mounting may start, must not keep the pipe open.
            try pipe.closeOnExec()
        } catch {
            throw Failure(.usage, "--ready-fd is no open descriptor: \(error)")
        }
        _ = Thread(name: "hubfs-ready") { [self] in watch() }
    }

    /// Tells the process that started the daemon.
    ///
    /// - Returns: false when that process has gone.
    func report() -> Bool {
        isReported.store(true, ordering: .sequentiallyConsistent)
        return (try? pipe.writeAll([1])) != nil
    }

    /// Waits until the other end is closed.
    private func watch() {
        var request = pollfd(fd: pipe.rawValue, events: 0, revents: 0)
        while poll(&request, 1, -1) == -1, errno == EINTR {}
        if !isReported.load(ordering: .sequentiallyConsistent) { kill(getpid(), SIGTERM) }
        try? pipe.close()
    }
}
