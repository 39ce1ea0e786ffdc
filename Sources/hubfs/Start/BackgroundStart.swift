import FuseBridge
import Glibc
import Platform
import SystemPackage

/// Starts a daemon for one mount and waits until the mount works.
///
/// The daemon is this program again, with `--foreground`, by posix_spawn: never a fork of a process
/// that may have threads. It has a session of its own, keeps our stderr until the mount works, and
/// then says so by one byte on a pipe. A pipe that ends without that byte means that it failed, and
/// has said why.
struct BackgroundStart {
    private static let readyFD: CInt = 3

    private let request: MountRequest

    init(_ request: MountRequest) { self.request = request }

    /// - Throws: `Failure` when no daemon could be started. One that failed has written its own
    ///   sentence; this process then ends with its code.
    func run() throws {
        try closeInheritedOnExec()
        let (readEnd, writeEnd) = try makePipe()
        let daemon = try spawn(writeEnd: writeEnd)
        try writeEnd.close()
        if isReady(readEnd) { return }
        var status: Int32 = 0
        while waitpid(daemon, &status, 0) == -1, errno == EINTR {}
        let signal = status & 0x7f  // WTERMSIG, a macro; man 2 wait
        guard signal == 0 else {
            throw Failure(.failure, "the daemon was ended by signal \(signal)")
        }
        exit(status >> 8 & 0xff)  // WEXITSTATUS
    }

    /// Whatever our caller left open would otherwise stay open as long as the mount.
    private func closeInheritedOnExec() throws {
        for name in try Folder.names(in: "/proc/self/fd") {
            guard let number = CInt(name), number > STDERR_FILENO else { continue }
            // The one the folder was listed with is closed already.
            try? FileDescriptor(rawValue: number).closeOnExec()
        }
    }

    /// A pipe that other programs do not inherit; no thread runs yet that could start one.
    private func makePipe() throws -> (FileDescriptor, FileDescriptor) {
        let (readEnd, writeEnd) = try FileDescriptor.pipe()
        try readEnd.closeOnExec()
        try writeEnd.closeOnExec()
        return (readEnd, writeEnd)
    }

    /// - Returns: false when the daemon ended without a word.
    private func isReady(_ readEnd: FileDescriptor) -> Bool {
        let byte = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
        defer { byte.deallocate() }
        return (try? readEnd.read(into: byte)) == 1
    }

    private func spawn(writeEnd: FileDescriptor) throws(Failure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, writeEnd.rawValue, Self.readyFD)
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        let newSession: Int16 = 0x80  // POSIX_SPAWN_SETSID, hidden behind _GNU_SOURCE
        posix_spawnattr_setflags(&attributes, newSession)

        let words = ["hubfs"] + request.daemonWords(readyFD: Self.readyFD)
        var argv = words.map { strdup($0) } + [nil]
        defer { for word in argv { free(word) } }
        var daemon = pid_t()
        let code = posix_spawn(&daemon, "/proc/self/exe", &actions, &attributes, &argv, environ)
        guard code == 0 else {
            throw Failure(.failure, "no daemon could be started: \(Errno(rawValue: code))")
        }
        return daemon
    }
}

extension FileDescriptor {
    /// Keeps the descriptor from programs this process starts. Source: man 2 fcntl, FD_CLOEXEC.
    func closeOnExec() throws(Errno) {
        try check { Int(fcntl(rawValue, F_SETFD, FD_CLOEXEC)) }
    }
}
