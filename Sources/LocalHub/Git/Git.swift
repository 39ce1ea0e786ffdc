import Foundation

/// What goes wrong between us and git.
package enum GitError: Error {
    /// posix_spawn failed with this errno.
    case spawn(Int32)
    /// A pipe to or from git failed with this errno.
    case pipe(Int32)
    /// A git command ended with this status.
    case exited(command: String, status: Int32)
    /// git answered something its documentation does not say.
    case unexpected(String)
    /// An object the repository should hold is not there.
    case missing(String)
}

/// One-shot git commands.
enum Git {
    /// git reads no configuration but the repository's own, so that a Hub behaves alike everywhere.
    static let environment: [String] = [
        "PATH=" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"),
        "HOME=/nonexistent", "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
        "GIT_TERMINAL_PROMPT=0",
    ]

    /// The arguments every command begins with.
    static func command(_ repository: String) -> [String] {
        ["git", "-c", "safe.directory=*", "--git-dir", repository]
    }

    /// Runs a command to its end.
    ///
    /// - Parameter input: at most what a pipe holds (64 KiB), since it is written before reading.
    /// - Returns: its standard output.
    static func run(
        _ repository: String, _ arguments: [String], input: String = "",
        environment: [String] = []
    ) throws(GitError) -> [UInt8] {
        let (status, output) = try attempt(
            repository, arguments, input: input, environment: environment)
        guard status == 0 else {
            throw .exited(command: arguments.first ?? "", status: status)
        }
        return output
    }

    /// Runs a command whose output may be long.
    ///
    /// - Returns: nil if it is longer than `byteCountMax`.
    static func run(
        _ repository: String, _ arguments: [String], byteCountMax: Int
    ) throws(GitError) -> [UInt8]? {
        let child = try ChildProcess(arguments: command(repository) + arguments)
        child.closeInput()
        guard let output = try child.readAll(byteCountMax: byteCountMax) else { return nil }
        let status = child.wait()
        guard status == 0 else {
            throw .exited(command: arguments.first ?? "", status: status)
        }
        return output
    }

    /// Runs a command whose status says more than whether it failed.
    static func attempt(
        _ repository: String, _ arguments: [String], input: String = "",
        environment: [String] = []
    ) throws(GitError) -> (status: Int32, output: [UInt8]) {
        precondition(input.utf8.count < 65_536, "input that may not fit the pipe needs a thread")
        let child = try ChildProcess(
            arguments: command(repository) + arguments, environment: environment)
        if !input.isEmpty { try child.write(input) }
        child.closeInput()
        let output = try child.readAll() ?? []
        return (child.wait(), output)
    }

    /// Makes a bare repository whose branch is `main`.
    static func create(_ repository: String) throws(GitError) {
        _ = try run(repository, ["init", "--quiet", "--bare", "--initial-branch=main", repository])
    }
}
