import CLinux
import Glibc
import Synchronization

/// A `git` child with its standard input and output as pipes.
///
/// The owner closes it; `deinit` kills and reaps what was not waited for, so that no child and no
/// descriptor outlives its use.
final class ChildProcess: Sendable {
    private struct State {
        var isInputOpen = true
        var isReaped = false
    }

    let pid: pid_t
    private let input: Int32
    private let output: Int32
    private let state = Mutex(State())

    /// - Parameter environment: `NAME=value` entries on top of the fixed ones of `Git`.
    init(arguments: [String], environment: [String] = []) throws(GitError) {
        switch Self.start(arguments: arguments, environment: environment) {
        case .success(let child):
            (pid, input, output) = child
        case .failure(let error):
            throw error
        }
    }

    deinit {
        closeInput()
        if !state.withLock({ $0.isReaped }) {
            kill(pid, SIGKILL)
            reap()
        }
        close(output)
    }

    // MARK: Input and output

    /// Writes all of the bytes, blocking while the pipe is full.
    func write(_ bytes: UnsafeRawBufferPointer) throws(GitError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(input, rest.firstByte, rest.count)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw .pipe(errno)
            }
        }
    }

    func write(_ text: String) throws(GitError) {
        try write(Array(text.utf8))
    }

    func write(_ bytes: [UInt8]) throws(GitError) {
        let result = bytes.withUnsafeBytes { raw in
            Result { () throws(GitError) in try write(raw) }
        }
        try result.get()
    }

    /// Reads what is there, blocking until something is. Zero is the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(GitError) -> Int {
        while true {
            let count = Glibc.read(output, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            if errno != EINTR { throw .pipe(errno) }
        }
    }

    /// Reads to the end of the output.
    ///
    /// - Returns: nil if it is longer than `byteCountMax`; the rest is not read.
    func readAll(byteCountMax: Int = .max) throws(GitError) -> [UInt8]? {
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let result = piece.withUnsafeMutableBytes { raw in
                Result { () throws(GitError) in try read(into: raw) }
            }
            let count = try result.get()
            if count == 0 { return all }
            guard all.count + count <= byteCountMax else { return nil }
            all += piece[..<count]
        }
    }

    // MARK: The end

    func closeInput() {
        let wasOpen = state.withLock { state in
            defer { state.isInputOpen = false }
            return state.isInputOpen
        }
        if wasOpen { close(input) }
    }

    func terminate() {
        state.withLock { state in
            if !state.isReaped { _ = kill(pid, SIGKILL) }
        }
    }

    /// Waits for the child's end.
    ///
    /// - Returns: its exit status; 128 + n after signal n.
    @discardableResult
    func wait() -> Int32 {
        closeInput()
        return reap()
    }

    @discardableResult
    private func reap() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        state.withLock { $0.isReaped = true }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    // MARK: Starting

    private static func start(
        arguments: [String], environment: [String]
    ) -> Result<(pid_t, Int32, Int32), GitError> {
        // A child that dies early must show as EPIPE, not end this process.
        signal(SIGPIPE, SIG_IGN)
        var toChild: [Int32] = [-1, -1]
        var fromChild: [Int32] = [-1, -1]
        guard pipe(&toChild) == 0 else { return .failure(.pipe(errno)) }
        guard pipe(&fromChild) == 0 else {
            let code = errno
            toChild.forEach { close($0) }
            return .failure(.pipe(code))
        }
        for fd in toChild + fromChild { _ = fcntl(fd, F_SETFD, FD_CLOEXEC) }
        defer {
            close(toChild[0])
            close(fromChild[1])
        }
        var pid: pid_t = 0
        let code = spawn(
            &pid, arguments, environment, input: toChild[0], output: fromChild[1])
        guard code == 0 else {
            close(toChild[1])
            close(fromChild[0])
            return .failure(.spawn(code))
        }
        return .success((pid, toChild[1], fromChild[0]))
    }

    private static func spawn(
        _ pid: inout pid_t, _ arguments: [String], _ environment: [String],
        input: Int32, output: Int32
    ) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        // NIO's sockets are not close-on-exec: a child that lives long would hold connections
        // open that this server has closed, and other children's pipes.
        let code = hubfs_spawn_close_from(&actions, 3)
        guard code == 0 else { return code }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // SIGPIPE back to its default; the terminal's Ctrl-C is for the server alone.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        var unblocked = sigset_t()
        sigemptyset(&unblocked)
        posix_spawnattr_setsigmask(&attributes, &unblocked)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var argv = arguments.map { strdup($0) } + [nil]
        var envp = (Git.environment + environment).map { strdup($0) } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        return posix_spawnp(&pid, arguments[0], &actions, &attributes, &argv, &envp)
    }
}

extension Slice<UnsafeRawBufferPointer> {
    /// The address of the slice's first byte.
    fileprivate var firstByte: UnsafeRawPointer? {
        base.baseAddress.map { $0 + startIndex }
    }
}
