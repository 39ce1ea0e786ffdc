import ArgumentParser
import FuseBridge
import Glibc
import Platform
import SystemPackage

struct UnmountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "umount",
        abstract: "Unmount, and wait for the daemon's end.",
        discussion: """
            Refuses while a process uses the mount, and says which. A mount whose daemon has died is \
            simply removed. For a mount that is read only no network is needed, and the wait is a few seconds \
            at most.

            The edits of a writable mount are committed, and the command waits until they are at the Hub. It \
            ends with 0 only then. Otherwise they are kept, for the next writable mount and for \
            'hubfs recover', and the code says why: 5 the Hub could not be reached, 13 somebody else has \
            changed the same paths, 14 the Hub refuses them. A mount with --commit manual keeps its edits.

            A bare umount commits as well, but nobody waits for it: 'hubfs log DIR' tells how it ended.
            """,
        aliases: ["unmount"])

    @Argument(help: "Where the repo is mounted.")
    var directory: String

    @Flag(help: "Detach at once; those who use the mount may finish.")
    var lazy = false

    @Flag(help: "Cut the connection first: whoever uses the mount gets an error. For root.")
    var force = false

    @Flag(help: "Keep the edits of a writable mount for the next one, without committing.")
    var noCommit = false

    @Flag(help: "Give up the edits of a writable mount.")
    var discard = false

    @Option(help: "Seconds to wait for the commit; edits that are not at the Hub then are kept.")
    var timeout: Seconds?

    func validate() throws {
        if noCommit && discard {
            throw ValidationError("--no-commit keeps the edits and --discard gives them up")
        }
    }

    /// The daemon waits two seconds for parked requests and closes its cache.
    private static let endPatienceSeconds = 15.0
    /// Long enough for the daemon of a mount that only this namespace had.
    private static let editedPatienceSeconds = 3.0
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
        let editing = try isDead ? nil : EditingDaemon(at: path)
        if discard || noCommit { try editing?.setEnding(discard ? .discard : .keep) }
        let outcome = lazy && !force ? nil : try editing?.outcome()
        if force { try FuseConnection(record).abort() }
        do throws(Failure) {
            // Nobody who uses a dead mount can finish anything.
            try unmount(path, lazily: lazy || force || isDead)
        } catch {
            outcome?.close()
            try editing?.setEnding(nil)
            throw error
        }
        if let editing, let outcome {
            try editing.finish(
                outcome, showsProgress: isatty(STDERR_FILENO) == 1, patience: timeout?.value)
        }
        // Detached lazily, the daemon serves on until the last user has finished.
        guard let daemon, !lazy || force else { return }
        if editing != nil, !force {
            // The edits are where they belong. A container may hold the mount in a namespace of its
            // own, and then its daemon serves on.
            _ = daemon.waitForEnd(until: .now.advanced(bySeconds: Self.editedPatienceSeconds))
            return
        }
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
