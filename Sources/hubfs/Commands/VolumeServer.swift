import ArgumentParser
import Glibc
import Platform
import SystemPackage
import VolumeDrivers

/// What the commands below `hubfs serve` have in common: a process that mounts by other processes, until it is told to end.
struct VolumeServer {
    /// What a container is given from SIGTERM to SIGKILL, less what we need ourselves. In seconds.
    static let containerGraceSeconds = 8.0

    /// SIGTERM and SIGINT, blocked in every thread.
    private let signals: sigset_t

    /// Blocks the signals that end us. Call before any other thread is made: they inherit it.
    init() {
        // What this process makes, folders, files and the socket, is its user's alone.
        umask(0o077)
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        self.signals = signals
    }

    /// Returns when we are to end.
    func waitForSignal() {
        var signals = signals
        var number: Int32 = 0
        while sigwait(&signals, &number) != 0 {}
    }

    /// The commands that mount, by this program.
    ///
    /// - Parameter graceSeconds: For the commits of all mounts, when we are the first process of a container.
    static func commands(
        outputFolder: FilePath, graceSeconds: Double = containerGraceSeconds
    ) throws(Failure) -> HubfsCommands {
        // The first process of a container takes all others with it, and they are to be quick then.
        let grace = getpid() == 1 ? ["--shutdown-timeout=\(graceSeconds)"] : []
        return HubfsCommands(
            executable: try executable(), children: ChildProcesses(folder: outputFolder),
            mountFlags: grace)
    }

    /// What the command line would say of the flags of a volume; nil when it would take them.
    @Sendable static func complaint(_ flags: [String]) -> String? {
        do {
            _ = try MountFlags.parse(flags)
            return nil
        } catch {
            return MountFlags.message(for: error)
        }
    }

    /// Makes the folder of the mount points.
    ///
    /// - Returns: its path without links, as the mount table shows it.
    static func madeMountRoot(_ path: String) throws(Failure) -> FilePath {
        let path = absolutePath(path)
        do throws(Errno) {
            try Folder.create(FilePath(path))
        } catch {
            throw Failure(.mountPoint, "the folder \(path) cannot be made: \(error)")
        }
        return FilePath(try MountPath.resolve(path))
    }

    /// Runs what is asynchronous, and waits for it.
    static func wait<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) throws(Failure) -> Value {
        let result: Result<Value, any Error> = waitForAnswer { answer in
            Task {
                do {
                    answer(.success(try await body()))
                } catch {
                    answer(.failure(error))
                }
            }
        }
        do {
            return try result.get()
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.localStorage, "\(error)")
        }
    }

    /// As the first process of a container: ends the mounts, which could not outlive this process, and waits for their
    /// commits.
    static func endContainer(graceSeconds: Double = containerGraceSeconds) {
        guard getpid() == 1 else { return }
        kill(-1, SIGTERM)
        let deadline = MonotonicInstant.now.advanced(bySeconds: graceSeconds + 1)
        // Children are taken away by their own thread; without one left kill finds nobody.
        while kill(-1, 0) == 0, .now < deadline { usleep(50_000) }
    }

    /// The path of this program, which is also that of a newer one in its place.
    private static func executable() throws(Failure) -> String {
        guard let path = realpath("/proc/self/exe", nil) else {
            throw Failure(.failure, "/proc/self/exe cannot be read: \(Errno(rawValue: errno))")
        }
        defer { free(path) }
        return String(cString: path)
    }
}
