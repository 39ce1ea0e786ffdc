import CLinux
import FuseBridge
import Glibc
import Platform
import SystemPackage

/// Starts a daemon for one mount and waits until the mount works.
///
/// The daemon is a fork of this process, which has one thread: to load the program and read the
/// command line once more would take as long as all the rest (docs/decisions/0021). It has a session of its
/// own, keeps our stderr until the mount works, and then says so by one byte on a pipe. A pipe that ends
/// without that byte means that it failed, and has said why.
struct BackgroundStart {
    enum Outcome {
        /// The mount works, served by this process.
        case works(daemon: pid_t)
        /// The daemon has written why, and ended with this status.
        case failed(Int32)
    }

    private let request: MountRequest
    /// A pipe whose other end the process has that the mount is made for; nil for a mount that stays.
    private let owner: FileDescriptor?

    init(_ request: MountRequest, owner: FileDescriptor? = nil) {
        self.request = request
        self.owner = owner
    }

    /// Returns when the mount works, or does not. The daemon never returns from here.
    ///
    /// - Throws: `Failure` when no daemon could be started.
    func run() throws(Failure) -> Outcome {
        let readEnd, writeEnd: FileDescriptor
        do {
            (readEnd, writeEnd) = try FileDescriptor.pipe()
        } catch {
            throw Failure(.failure, "no daemon could be started: \(error)")
        }
        defer { try? readEnd.close() }
        assert((try? Folder.names(in: "/proc/self/task"))?.count == 1, "only this thread is forked")
        let daemon = hubfs_fork()
        if daemon == -1 {
            throw Failure(.failure, "no daemon could be started: \(Errno(rawValue: errno))")
        }
        if daemon == 0 {
            exit(HubfsCommand.status(of: { try serve(reportingTo: writeEnd) }))
        }
        try? writeEnd.close()
        if isReady(readEnd) { return .works(daemon: daemon) }
        var status: Int32 = 0
        while waitpid(daemon, &status, 0) == -1, errno == EINTR {}
        let signal = status & 0x7f  // WTERMSIG, a macro; man 2 wait
        guard signal == 0 else {
            throw Failure(.failure, "the daemon was ended by signal \(signal)")
        }
        return .failed(status >> 8 & 0xff)  // WEXITSTATUS
    }

    /// The daemon's whole life.
    private func serve(reportingTo pipe: FileDescriptor) throws {
        setsid()
        let pipe = try kept(pipe)
        let owner = try owner.map { try kept($0) }
        try leaveStarter(keeping: [pipe] + (owner.map { [$0] } ?? []))
        try MountDaemon(request, reportingTo: pipe, owner: owner).run()
    }

    /// - Returns: false when the daemon ended without a word.
    private func isReady(_ readEnd: FileDescriptor) -> Bool {
        let byte = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
        defer { byte.deallocate() }
        return (try? readEnd.read(into: byte)) == 1
    }

    /// The same pipe where no standard stream has its place, closed in programs that this process
    /// starts.
    private func kept(_ pipe: FileDescriptor) throws(Errno) -> FileDescriptor {
        let copy = try check { Int(fcntl(pipe.rawValue, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) }
        return FileDescriptor(rawValue: CInt(copy))
    }

    /// Makes the daemon independent of the terminal, and of what the caller left open: that would stay
    /// open as long as the mount.
    private func leaveStarter(keeping kept: [FileDescriptor]) throws(Errno) {
        for name in try Folder.names(in: "/proc/self/fd") {
            guard let number = CInt(name), number > STDERR_FILENO,
                !kept.contains(where: { $0.rawValue == number })
            else { continue }
            // The one the folder was listed with is closed already.
            close(number)
        }
        try replaceStandardStream(STDIN_FILENO, O_RDONLY)
        try replaceStandardStream(STDOUT_FILENO, O_WRONLY)
    }

    private func replaceStandardStream(_ number: CInt, _ mode: CInt) throws(Errno) {
        let null = CInt(try check { Int(open("/dev/null", mode)) })
        // The caller may have left the place empty.
        if null == number { return }
        defer { close(null) }
        try check { Int(dup2(null, number)) }
    }
}

extension FileDescriptor {
    /// Keeps the descriptor from programs this process starts. Source: man 2 fcntl, FD_CLOEXEC.
    func closeOnExec() throws(Errno) {
        try check { Int(fcntl(rawValue, F_SETFD, FD_CLOEXEC)) }
    }
}
