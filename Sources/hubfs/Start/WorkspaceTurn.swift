import FuseBridge
import Glibc
import HubClient
import Platform
import WriteBack

/// Waits for a process that has the edits of a repo and will soon let go of them: its mount is gone,
/// and it commits.
struct WorkspaceTurn {
    private let user: WorkspaceUser
    private var line: ProgressLine
    /// When its commit last got on.
    private var movedAt = MonotonicInstant.now
    private var lastProgress = ""

    /// How long a commit may stand still, in seconds: longer than any single request of it.
    private static let stillnessSeconds = 90.0
    private static let pollSeconds = 0.25
    /// Tries at a lock whose holder is gone.
    static let tryCountMax = 5

    /// - Parameter words: Of the lock.
    /// - Returns: nil when the other is still mounted, or gone already.
    init?(of words: String) {
        guard let user = WorkspaceUser(text: words), Self.isEnding(user) else { return nil }
        self.user = user
        line = ProgressLine(isShown: isatty(STDERR_FILENO) == 1)
        writeToStandardError("hubfs: waiting for the last commit of these edits (\(words))\n")
    }

    /// Whether the process that had the lock has gone, or was about to say its name: then the next
    /// try tells more.
    static func isOver(_ words: String) -> Bool {
        guard let user = WorkspaceUser(text: words) else { return true }
        return !isAlive(user)
    }

    /// Waits a moment.
    ///
    /// - Returns: false when the other stands still: it is no use to wait on.
    mutating func wait() -> Bool {
        usleep(UInt32(Self.pollSeconds * 1e6))
        let status = Self.status(of: user)?.edits
        if let status { line.show(status) }
        let progress = status.map { "\($0.step) \($0.doneBytes)" } ?? ""
        if progress != lastProgress {
            lastProgress = progress
            movedAt = .now
        }
        return MonotonicInstant.now.seconds(since: movedAt) < Self.stillnessSeconds
    }

    /// Takes the progress off the terminal.
    mutating func end() { line.clear() }

    private static func isEnding(_ user: WorkspaceUser) -> Bool {
        guard isAlive(user) else { return false }
        guard let mountPoint = user.mountPoint else { return true }
        guard let mount = MountTable.record(at: mountPoint, of: user.pid), mount.isOurs else {
            return true
        }
        // In a mount namespace of its own, as in `hubfs run`, its socket is not where ours are.
        let isSeen = MountTable.records().contains { $0.device == mount.device }
        // Somebody else's mount may be at its place by now.
        return isSeen && status(of: user) == nil
    }

    private static func isAlive(_ user: WorkspaceUser) -> Bool {
        kill(user.pid, 0) == 0 || errno == EPERM
    }

    /// What the process tells of itself; nil when another one answers, or nobody.
    private static func status(of user: WorkspaceUser) -> MountStatus? {
        guard let mountPoint = user.mountPoint else { return nil }
        let folders = ControlFolder.existing(Environment())
        let deadline = MonotonicInstant.now.advanced(bySeconds: 2)
        guard
            case .answered(let status) =
                MountReport.ask([mountPoint], folders, deadline)[0].state,
            status.pid == user.pid
        else { return nil }
        return status
    }
}
