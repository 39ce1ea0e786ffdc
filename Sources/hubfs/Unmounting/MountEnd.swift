import FuseBridge
import Glibc
import Platform
import SystemPackage

/// The end of one mount as `hubfs umount` brings it about: the edits first go where they belong.
struct MountEnd {
    /// The daemon waits two seconds for parked requests and closes its cache.
    private static let endPatienceSeconds = 15.0
    /// Long enough for the daemon of a mount that only this namespace had.
    private static let editedPatienceSeconds = 3.0
    /// After the connection was cut there is nothing to wait for but the cache.
    private static let cutPatienceSeconds = 5.0

    private let record: MountRecord
    private var path: String { record.mountPoint }
    /// Detaches at once; those who use the mount may finish.
    var isLazy = false
    /// Cuts the connection first.
    var isForced = false
    /// What becomes of edits; nil for what was said when it was mounted.
    var ending: CommitDesk.Ending?
    /// How long a commit is waited for; nil for as long as it takes.
    var patienceSeconds: Double?

    /// - Throws: `Failure` with code `mountPoint` when no mount of ours is there.
    init(of directory: String) throws(Failure) {
        let path = try MountPath.resolve(directory)
        guard let record = MountTable.record(at: path) else {
            throw Failure(.mountPoint, "nothing is mounted at \(path)")
        }
        guard record.isOurs else {
            throw Failure(
                .mountPoint,
                "what is mounted at \(path) is not hubfs but \(record.type): use umount")
        }
        self.record = record
    }

    /// - Throws: `Failure` when it is in use, and when not all edits are at the Hub though they were to
    ///   be.
    func run() throws(Failure) {
        let (daemon, isDead) = connect(path)
        defer { daemon?.close() }
        let editing = try isDead ? nil : EditingDaemon(at: path)
        if let ending { try editing?.setEnding(ending) }
        let outcome = isLazy && !isForced ? nil : try editing?.outcome()
        if isForced { try FuseConnection(record).abort() }
        do throws(Failure) {
            // Nobody who uses a dead mount can finish anything.
            try unmount(path, lazily: isLazy || isForced || isDead)
        } catch {
            outcome?.close()
            try editing?.setEnding(nil)
            throw error
        }
        if let editing, let outcome {
            try editing.finish(
                outcome, showsProgress: isatty(STDERR_FILENO) == 1, patience: patienceSeconds
            ).show()
        }
        // Detached lazily, the daemon serves on until the last user has finished.
        guard let daemon, !isLazy || isForced else { return }
        if editing != nil, !isForced {
            // The edits are where they belong. A container may hold the mount in a namespace of its
            // own, and then its daemon serves on.
            _ = daemon.waitForEnd(until: .now.advanced(bySeconds: Self.editedPatienceSeconds))
            return
        }
        let patience = isForced ? Self.cutPatienceSeconds : Self.endPatienceSeconds
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
