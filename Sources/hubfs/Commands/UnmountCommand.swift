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
        let daemon = connect(path)
        defer { daemon?.close() }
        if try removeDead(path) { return }
        if force {
            try FuseConnection(record).abort()
        }
        try unmount(path)
        // Detached lazily, the daemon serves on until the last user has finished.
        guard let daemon, !lazy || force else { return }
        if !daemon.waitForEnd(until: .now.advanced(bySeconds: Self.endPatienceSeconds)) {
            throw Failure(
                .timedOut,
                "\(path) is unmounted, but its daemon has not ended; 'hubfs log \(path)' may tell why"
            )
        }
    }

    /// - Returns: nil when there is no daemon to wait for, or it does not talk to us.
    private func connect(_ path: String) -> ControlClient? {
        let folders = ControlFolder.existing(Environment())
        guard let daemon = try? ControlClient(mountPoint: path, folders: folders) else {
            return nil
        }
        try? daemon.ask(.end)
        return daemon
    }

    private func removeDead(_ path: String) throws(Failure) -> Bool {
        do throws(FuseError) {
            return try MountPoint.removeStale(path)
        } catch {
            throw Failure(error)
        }
    }

    private func unmount(_ path: String) throws(Failure) {
        do throws(FuseError) {
            try MountPoint.unmount(path, lazily: lazy || force)
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
