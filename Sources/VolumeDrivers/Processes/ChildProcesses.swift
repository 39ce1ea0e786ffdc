import CLinux
import Glibc
import Platform
package import SystemPackage

/// Starts other programs and learns how they ended.
///
/// One thread takes every child of this process away when it has ended. These are not only those started
/// here: the daemon of a mount loses its parent when the mount works, and the first process of a
/// container inherits it.
package final class ChildProcesses: Sendable {
    /// How a child ended.
    package struct Ending: Sendable {
        /// Its exit code, or 128 and the number of the signal that ended it, as shells have it.
        package let code: Int32
        /// What it wrote to stdout and to stderr, without blanks around it; of much only the end.
        package let output: String
        package let words: String
    }

    /// Who waits for a child, and the watch that kills it.
    private struct Waiter {
        typealias Continuation = CheckedContinuation<Result<Int32, Errno>, Never>

        let continuation: Continuation
        let watch: Task<Void, Never>?
    }

    private struct State {
        var waiters: [pid_t: Waiter] = [:]
        /// Counts starts, for the thread when it has found no child to wait for.
        var startCount = 0
    }

    private let state = Monitor(State())
    /// Where the output of children is while they run.
    private let folder: FilePath

    /// - Parameter folder: Exists, and nobody else writes to it.
    package init(folder: FilePath) {
        self.folder = folder
        let state = self.state
        _ = Thread(name: "hubfs-children") { Self.takeAway(state) }
    }

    /// Runs a program to its end. It has a session of its own and no stdin, and does not end with us.
    ///
    /// - Parameters:
    ///   - command: The program's path and its arguments.
    ///   - environment: Variables in place of ours.
    ///   - limit: When it is killed; nil lets it take its time.
    /// - Throws: `Errno` when it cannot be started.
    package func run(
        _ command: [String], environment: [String: String] = [:],
        killedAfter limit: Duration? = nil
    ) async throws(Errno) -> Ending {
        let output = try ChildOutput(in: folder)
        defer { output.close() }
        let words = try ChildOutput(in: folder)
        defer { words.close() }
        let result = await withCheckedContinuation { (continuation: Waiter.Continuation) in
            do throws(Errno) {
                try start(
                    command, environment, output.file, words.file, killedAfter: limit, continuation)
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        let status = try result.get()
        let signal = status & 0x7f  // WTERMSIG, a macro; man 2 wait
        let code = signal == 0 ? status >> 8 & 0xff : 128 + signal
        return Ending(code: code, output: output.text(), words: words.text())
    }

    private func start(
        _ command: [String], _ environment: [String: String], _ stdout: FileDescriptor,
        _ stderr: FileDescriptor, killedAfter limit: Duration?, _ continuation: Waiter.Continuation
    ) throws(Errno) {
        // The thread finds the child in the table, however soon it ends: it looks under the lock.
        try state.update { state throws(Errno) in
            let id = try Self.spawn(command, environment, stdout, stderr)
            let watch = limit.map { self.watch(id, for: $0) }
            state.waiters[id] = Waiter(continuation: continuation, watch: watch)
            state.startCount += 1
        }
    }

    /// Kills a child that has not ended after a while.
    private func watch(_ id: pid_t, for limit: Duration) -> Task<Void, Never> {
        Task { [state] in
            do { try await Task.sleep(for: limit) } catch { return }
            // Only what has not been taken away still has its number.
            state.update { if $0.waiters[id] != nil { kill(id, SIGKILL) } }
        }
    }

    /// Waits for the end of any child, for ever.
    private static func takeAway(_ state: Monitor<State>) {
        var startCount = 0
        while true {
            var status: Int32 = 0
            let id = waitpid(-1, &status, 0)
            if id == -1 {
                if errno == EINTR { continue }
                // No child. Those we inherit come from children, so that the next start comes first.
                startCount =
                    state.wait { $0.startCount == startCount ? nil : $0.startCount } ?? startCount
                continue
            }
            let waiter = state.update { $0.waiters.removeValue(forKey: id) }
            waiter?.watch?.cancel()
            waiter?.continuation.resume(returning: .success(status))
        }
    }

    /// - Returns: the child's id.
    private static func spawn(
        _ command: [String], _ environment: [String: String], _ stdout: FileDescriptor,
        _ stderr: FileDescriptor
    ) throws(Errno) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, stdout.rawValue, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, stderr.rawValue, STDERR_FILENO)
        hubfs_spawn_close_from(&actions, STDERR_FILENO + 1)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // We block the signals that end us; a child shall end by them.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        // POSIX_SPAWN_SETSIGMASK, and POSIX_SPAWN_SETSID, which is hidden behind _GNU_SOURCE.
        posix_spawnattr_setflags(&attributes, 0x08 | 0x80)

        var arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var variables = Self.variables(with: environment)
        defer { for variable in variables { free(variable) } }
        var id = pid_t()
        let code = posix_spawn(&id, command[0], &actions, &attributes, &arguments, &variables)
        guard code == 0 else { throw Errno(rawValue: code) }
        return id
    }

    /// Our environment with some variables in place of ours, ended by nil; each is to be freed.
    private static func variables(
        with changes: [String: String]
    ) -> [UnsafeMutablePointer<CChar>?] {
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let variable = next.pointee {
            let name = String(cString: variable).prefix { $0 != "=" }
            if changes[String(name)] == nil { variables.append(strdup(variable)) }
            next += 1
        }
        for (name, value) in changes { variables.append(strdup("\(name)=\(value)")) }
        return variables + [nil]
    }
}

/// What a child writes to one of its streams: a file without a name, because a pipe would have to be read while it runs.
private struct ChildOutput {
    let file: FileDescriptor

    /// Read of it, in bytes: its end, however much came before.
    private static let bytesMax = 65536

    init(in folder: FilePath) throws(Errno) {
        var template = Array(folder.appending("output.XXXXXX").string.utf8CString)
        file = FileDescriptor(rawValue: CInt(try check { Int(mkstemp(&template)) }))
        unlink(template)
    }

    func close() { try? file.close() }

    func text() -> String {
        let size = (try? file.status().st_size) ?? 0
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.bytesMax, alignment: 1)
        defer { bytes.deallocate() }
        let start = UInt64(max(0, size - Self.bytesMax))
        let count = (try? file.readWhole(into: bytes, at: start)) ?? 0
        var text = String(decoding: bytes[..<count], as: UTF8.self)[...]
        while text.first?.isWhitespace ?? false { text.removeFirst() }
        while text.last?.isWhitespace ?? false { text.removeLast() }
        return String(text)
    }
}
