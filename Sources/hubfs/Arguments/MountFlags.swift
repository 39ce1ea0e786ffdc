import ArgumentParser
import Glibc
import Logging
import SystemPackage
import WriteBack

/// How a repo is mounted, apart from what and where.
struct MountFlags: ParsableArguments {
    @Flag(
        name: .shortAndLong, help: "Stay in the foreground and log to stderr; Ctrl-C unmounts.")
    var foreground = false

    @Flag(name: .shortAndLong, help: "Read only: the default, accepted for mount(8).")
    var readOnly = false

    @Flag(name: .shortAndLong, help: "Let programs edit the repo; unmounting commits.")
    var writable = false

    @Option(
        help: ArgumentHelp(
            "When edits are committed: 'unmount', 'close' (soon after the last change), "
                + "'interval:SECONDS', or 'manual' for 'hubfs commit' alone.",
            valueName: "when"))
    var commit = CommitMoment.unmount

    @Option(
        name: [.customShort("m"), .customLong("message")],
        help: "First line of the commits; without it hubfs says what changed.")
    var message: String?

    @Option(
        help: ArgumentHelp(
            "Commit to this branch or 'refs/pr/N' from now on, and show it, with your edits on top.",
            valueName: "name"))
    var branch: String?

    @Flag(help: "With --branch: make it if there is none.")
    var createBranch = false

    @Flag(help: "Commit to a new pull request instead of the branch.")
    var createPr = false

    @Option(
        help: ArgumentHelp(
            "When others changed the same paths: 'fail', 'pr', 'branch', 'ours' or 'theirs'.",
            valueName: "what"))
    var onConflict = ConflictPolicy.fail

    @Option(
        help: ArgumentHelp(
            "Keep edits apart from other writable mounts of the same branch.", valueName: "name"))
    var workspace: String?

    @Option(
        help: ArgumentHelp(
            "How long SIGTERM waits for the commit, before the edits are kept and the daemon ends with code 5 "
                + "(default: 60, and 8 as the first process of a container).",
            valueName: "seconds"))
    var shutdownTimeout: Seconds?

    @OptionGroup(title: "Hub options")
    var hub: HubOptions

    @OptionGroup(title: "Cache options")
    var cache: CacheOptions

    @Flag(help: "Let other users see the mount (root, or user_allow_other in /etc/fuse.conf).")
    var allowOther = false

    @Option(help: "Number of the user who owns the files (default: yours).")
    var uid: uid_t?

    @Option(help: "Number of the group that owns the files (default: yours).")
    var gid: gid_t?

    @Option(help: "Permissions to take from 0666 and 0777, in octal (default: 022).")
    var umask: PermissionMask?

    @Option(
        help: ArgumentHelp(
            "Log to this file; it is moved to FILE.1 when it reaches 10 MB.", valueName: "file"))
    var logFile: String?

    @Option(
        help: ArgumentHelp(
            "Log trace, debug, info, notice, warning, error or critical, and what is above it.",
            valueName: "level"))
    var logLevel: Logger.Level = .info

    /// The descriptor on which a background daemon reports that the mount works.
    @Option(name: .customLong("ready-fd"), help: .private)
    var readyFD: CInt?

    /// The flags as words of a command line, for the daemon and for merging with `-o` lists; paths
    /// hold from any folder.
    var words: [String] {
        var words: [String] = []
        if foreground { words += MountOption.foreground.words() }
        if readOnly { words += MountOption.readOnly.words() }
        if writable { words += MountOption.writable.words() }
        if commit != .unmount { words += MountOption.commit.words(commit.word) }
        if let message { words += MountOption.message.words(message) }
        if let branch { words += MountOption.branch.words(branch) }
        if createBranch { words += MountOption.createBranch.words() }
        if createPr { words += MountOption.createPr.words() }
        if onConflict != .fail { words += MountOption.onConflict.words(onConflict.rawValue) }
        if let workspace { words += MountOption.workspace.words(workspace) }
        if let shutdownTimeout {
            words += MountOption.shutdownTimeout.words("\(shutdownTimeout.value)")
        }
        words += hub.words + cache.words
        if allowOther { words += MountOption.allowOther.words() }
        if let uid { words += MountOption.uid.words(String(uid)) }
        if let gid { words += MountOption.gid.words(String(gid)) }
        if let umask { words += MountOption.umask.words(String(umask.bits, radix: 8)) }
        if let logFile { words += MountOption.logFile.words(absolutePath(logFile)) }
        return words + MountOption.logLevel.words(logLevel.rawValue)
    }

    /// How the mount commits by itself.
    var commitRequest: CommitRequest {
        var request = CommitRequest()
        request.title = message
        request.opensPullRequest = createPr
        request.onConflict = onConflict
        return request
    }

    /// These flags with those of `-o` lists, which win.
    ///
    /// - Throws: `Failure` with code `usage` for an option nobody knows and a value that does not
    ///   fit.
    func merged(with lists: [String]) throws(Failure) -> MountFlags {
        if lists.isEmpty { return self }
        let parsed = try lists.map { list throws(Failure) in try MountOptionList(list) }
        if parsed.contains(where: \.asksForWriting) {
            writeToStandardError("hubfs: mounts are read-only for now: 'rw' has no effect\n")
        }
        do {
            var merged = try MountFlags.parse(words + parsed.flatMap(\.words))
            merged.readyFD = readyFD
            return merged
        } catch {
            throw Failure(.usage, MountFlags.message(for: error))
        }
    }
}
