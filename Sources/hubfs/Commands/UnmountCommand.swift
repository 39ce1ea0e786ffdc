import ArgumentParser
import FuseBridge
import Platform
import SystemPackage

struct UnmountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "umount",
        abstract: "Unmount, and wait for the daemon's end.",
        discussion: """
            Refuses while a process uses the mount, and says which. A mount whose daemon has died is \
            simply removed. Needs no network, and never waits for the daemon longer than a few seconds.
            """,
        aliases: ["unmount"])

    @Argument(help: "Where the repo is mounted.")
    var directory: String

    @Flag(help: "Detach at once; those who use the mount may finish.")
    var lazy = false

    @Flag(help: "Cut the connection first: whoever uses the mount gets an error. For root.")
    var force = false

    /// The daemon waits two seconds for parked requests and closes its cache.
    private static let endPatienceSeconds = 15.0
    /// After the connection was cut there is nothing to wait for but the cache.
    private static let cutPatienceSeconds = 5.0

    func run() throws {
        let path = try MountPath.resolve(directory)
        guard let record = MountTable.record(at: path) else {
            throw Failure(.mountPoint, "nothing is mounted at \(path)")
        }
        guard record.isOurs else {
            throw Failure(
                .mountPoint,
                "what is mounted at \(path) is not hubfs but \(record.type): use umount")
        }
        let (daemon, isDead) = connect(path)
        defer { daemon?.close() }
        if force { try FuseConnection(record).abort() }
        // Nobody who uses a dead mount can finish anything.
        try unmount(path, lazily: lazy || force || isDead)
        // Detached lazily, the daemon serves on until the last user has finished.
        guard let daemon, !lazy || force else { return }
        let patience = force ? Self.cutPatienceSeconds : Self.endPatienceSeconds
        if !daemon.waitForEnd(until: .now.advanced(bySeconds: patience)) {
            throw Failure(
                .timedOut,
                "\(path) is unmounted, but its daemon has not ended; 'hubfs log \(path)' may tell why"
            )
        }
    }

    /// Asks the daemon to tell its end. The mount itself is not asked anything, not even by `stat`: its
    /// daemon may hang.
    ///
    /// - Returns: nil when no daemon can be reached, and whether it is known to have died.
    private func connect(_ path: String) -> (daemon: ControlClient?, isDead: Bool) {
        do throws(ControlClient.Silence) {
            let folders = ControlFolder.existing(Environment())
            let daemon = try ControlClient(mountPoint: path, folders: folders)
            try daemon.ask(.end)
            return (daemon, false)
        } catch {
            return (nil, error == .dead)
        }
    }

    private func unmount(_ path: String, lazily: Bool) throws(Failure) {
        do throws(FuseError) {
            try MountPoint.unmount(path, lazily: lazily)
        } catch .unmountFailed(_, .resourceBusy) {
            let users = MountUser.all(of: path).map(\.description)
            let shown = users.prefix(5).joined(separator: ", ")
            let more = users.count > 5 ? " and \(users.count - 5) more" : ""
            throw Failure(
                .busy,
                users.isEmpty
                    ? "\(path) is in use; --lazy detaches it and lets its users finish"
                    : "\(path) is in use by \(shown)\(more); end them, or --lazy lets them finish")
        } catch {
            throw Failure(error)
        }
    }
}
