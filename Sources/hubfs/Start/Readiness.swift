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

    /// - Parameter pipe: Closed in programs that are started, or fusermount3 would keep it open. Call when
    ///   SIGTERM is taken care of.
    init(_ pipe: FileDescriptor) {
        self.pipe = pipe
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
