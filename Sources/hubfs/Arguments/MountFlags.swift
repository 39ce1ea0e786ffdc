import ArgumentParser
import Glibc
import Logging
import Settings
import SystemPackage
import WriteBack

/// How a repo is mounted, apart from what and where.
struct MountFlags: ParsableArguments {
    @Flag(
        name: .shortAndLong, help: "Stay in the foreground and log to stderr; Ctrl-C unmounts.")
    var foreground = false

    @Flag(name: .shortAndLong, help: "Read only: the default.")
    var readOnly = false

    @Option(
        help: ArgumentHelp(
            "Go where the branch goes: ask for it every INTERVAL seconds (--follow alone: 30) and show what "
                + "was committed. Read only, but for buckets, which are always followed.",
            valueName: "interval"))
    var follow: Seconds?

    @Flag(name: .shortAndLong, help: "Let programs edit the repo; unmounting commits.")
    var writable = false

    @Option(
        help: ArgumentHelp(
            "When edits are committed: 'unmount', 'close' (soon after the last change), "
                + "'interval:TIME' (30s, 5m, at most 1h), or 'manual' for 'hubfs commit' alone.",
            valueName: "when"))
    var commit = CommitMoment.unmount

    @Option(
        help: ArgumentHelp(
            "Of a bucket: when edits are sent: 'close' (soon after the last change, at the latest after 30 s: "
                + "the default), 'interval:TIME' (30s, 5m, at most 1h), 'fsync' (which then waits for it), or 'unmount'.",
            valueName: "when"))
    var flush: FlushMoment?

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

    @Option(
        help: ArgumentHelp(
            "Write to this file in which order the files are first read.", valueName: "file"))
    var record: String?

    @Option(
        help: ArgumentHelp(
            "Fetch at once what a file of --record names, in its order, before anybody reads it.",
            valueName: "file"))
    var replay: String?

    @Flag(
        help: ArgumentHelp(
            "Fetch nothing ahead in the order in which an earlier mount was read.",
            discussion: """
                Without it that is done when the first files read are the same again, and not cached.
                """))
    var noReplay = false

    @Option(
        help: ArgumentHelp(
            "Of hf://: drop a repo that nobody has used for this time (default: 900).",
            valueName: "seconds"))
    var repoIdle: Seconds?

    @Option(
        help: ArgumentHelp(
            "Of hf://: how long lists of repos hold, and that a name is absent (default: 60).",
            valueName: "seconds"))
    var namesTtl: Seconds?

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
            "Answer Prometheus at unix:PATH, or at a port of 127.0.0.1, under /metrics.",
            valueName: "address"))
    var metrics: MetricsAddress?

    @Option(
        help: ArgumentHelp(
            "Log trace, debug, info, notice, warning, error or critical, and what is above it.",
            valueName: "level"))
    var logLevel: Logger.Level = .info

    func validate() throws {
        if readOnly, writable {
            throw ValidationError("A mount is read only (-r, ro) or writable (-w, rw), not both.")
        }
    }

    /// These flags with paths that hold from any folder: a daemon leaves the one it was started in.
    var withWholePaths: MountFlags {
        var flags = self
        flags.logFile = logFile.map { absolutePath($0) }
        flags.metrics = metrics?.whole
        flags.hub.tokenFile = hub.tokenFile.map { absolutePath($0) }
        flags.cache.cacheDir = cache.cacheDir.map { absolutePath($0) }
        return flags
    }

    /// The flags as words of a command line, for merging with `-o` lists.
    private var words: [String] {
        var words: [String] = []
        if foreground { words += MountOption.foreground.words() }
        if readOnly { words += MountOption.readOnly.words() }
        if let follow { words += MountOption.follow.words("\(follow.value)") }
        if writable { words += MountOption.writable.words() }
        if commit != .unmount { words += MountOption.commit.words(commit.word) }
        if let flush { words += MountOption.flush.words(flush.word) }
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
        if let record { words += MountOption.record.words(absolutePath(record)) }
        if let replay { words += MountOption.replay.words(absolutePath(replay)) }
        if noReplay { words += MountOption.noReplay.words() }
        if let repoIdle { words += MountOption.repoIdle.words("\(repoIdle.value)") }
        if let namesTtl { words += MountOption.namesTtl.words("\(namesTtl.value)") }
        if allowOther { words += MountOption.allowOther.words() }
        if let uid { words += MountOption.uid.words(String(uid)) }
        if let gid { words += MountOption.gid.words(String(gid)) }
        if let umask { words += MountOption.umask.words(String(umask.bits, radix: 8)) }
        if let logFile { words += MountOption.logFile.words(logFile) }
        if let metrics { words += MountOption.metrics.words("\(metrics)") }
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
        let parsed = try lists.map { list throws(Failure) in
            try MountOptionList(list, ofMountProgram: false)
        }
        var words = words + parsed.flatMap(\.words)
        if words.contains(where: { $0.hasSuffix("=false") }) {
            words = CommandWords(words, options: OptionTable(of: MountFlags.self).shapes).words
        }
        do {
            return try MountFlags.parse(words)
        } catch {
            throw Failure(.usage, MountFlags.message(for: error))
        }
    }
}
