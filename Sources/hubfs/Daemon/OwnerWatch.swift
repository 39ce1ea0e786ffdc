import Glibc
import Platform
import SystemPackage

/// Ends a mount that was made for one process when that process ends, however it does.
///
/// The process has the other end of a pipe, which the kernel closes with it.
struct OwnerWatch {
    private let pipe: FileDescriptor

    init(_ pipe: FileDescriptor) { self.pipe = pipe }

    /// Watches from now on, on a thread of its own. Call when SIGTERM is taken care of.
    ///
    /// - Parameter onEnd: Runs before the mount is ended as by SIGTERM.
    func begin(onEnd: @escaping @Sendable () -> Void) {
        _ = Thread(name: "hubfs-owner") { [pipe] in
            var request = pollfd(fd: pipe.rawValue, events: 0, revents: 0)
            while poll(&request, 1, -1) == -1, errno == EINTR {}
            onEnd()
            kill(getpid(), SIGTERM)
        }
    }
}
