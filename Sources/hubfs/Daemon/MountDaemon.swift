import FuseBridge
import Glibc
import HubClient
import Logging
import Platform
import RepoCache
import RepoFS
import SystemPackage
import WriteBack

/// One mount from its start to its end, in this process: in the foreground, or as the daemon that
/// `BackgroundStart` has started.
struct MountDaemon {
    private static let answerPatienceSeconds = 2.0

    private let request: MountRequest
    /// Where somebody waits to hear that the mount works; nil in the foreground.
    private let readyPipe: FileDescriptor?
    /// A pipe that ends with the process the mount is made for; nil for a mount that stays.
    private let owner: FileDescriptor?
    private var isInBackground: Bool { readyPipe != nil }

    init(
        _ request: MountRequest, reportingTo readyPipe: FileDescriptor? = nil,
        owner: FileDescriptor? = nil
    ) {
        self.request = request
        self.readyPipe = readyPipe
        self.owner = owner
    }

    /// Returns when the mount has ended, by a signal or by unmounting.
    ///
    /// - Throws: `Failure` when it never came up.
    func run() throws(Failure) {
        Resources.keepMemorySmall()
        Resources.allowManyFiles()
        // What it took to understand the command line and the configuration.
        returnProgramPages()
        let log = DaemonLog(
            file: try request.logPath(isInBackground: isInBackground).map { path throws(Failure) in
                try LogFile(path)
            })
        let level = request.flags.logLevel
        LoggingSystem.bootstrap { _ in LineLogHandler(log: log, level: level) }
        let logger = Logger(label: "hubfs")
        let signals = StopSignals { [mountPoint = request.mountPoint] reason in
            logger.warning("ending without waiting: \(reason)")
            if MountTable.record(at: mountPoint)?.isOurs ?? false {
                try? MountPoint.unmount(mountPoint, lazily: true)
            }
        }
        let readiness = readyPipe.map { Readiness($0) }
        if isInBackground {
            // The terminal it was started from does not concern the daemon, nor does its folder.
            signal(SIGHUP, SIG_IGN)
            chdir("/")
            // In ps and top, also when mount(8) has started it under another name.
            try? writeSmallFile("/proc/self/comm", "hubfs")
        }
        defer {
            // The folder of a run goes with the last socket in it.
            if owner != nil { rmdir(ControlFolder.own(request.environment).path.string) }
        }
        do throws(Failure) {
            try serve(signals, readiness, log, logger)
        } catch {
            logger.debug("the mount did not come up: \(error.sentence)")
            throw error
        }
        signals.end()
    }

    private func serve(
        _ signals: StopSignals, _ readiness: Readiness?, _ log: DaemonLog, _ logger: Logger
    ) throws(Failure) {
        try checkFuse()
        try checkMountPoint()
        let watch = try DaemonWatch(request.flags, log, logger)
        defer { watch.close() }
        let hub = try HubAccess(
            hub: request.flags.hub, cache: request.flags.cache, environment: request.environment,
            logger: logger, goesOnOpening: true)
        var cacheIsClosed = false
        defer { hub.close(cacheIsClosed: cacheIsClosed) }
        if request.source.isWholeHub {
            let daemon = HubTreeDaemon(
                request, hub, log: log, watch: watch, logger: logger)
            let isWanted = try daemon.serve(signals, readiness, isInBackground: isInBackground)
            if !isWanted { throw Failure(.failure, "interrupted before the mount worked") }
            return
        }
        let mount = try makeMountInTurn(hub, watch.folder, logger)
        if let workspace = mount.workspace, let committer = mount.committer {
            tellWhatWasFound(workspace)
            tellWhatIsFollowed(committer)
        }
        let desk = mount.committer.map {
            CommitDesk(
                $0, usual: request.flags.commitRequest, ending: request.flags.commit.ending,
                logger: logger)
        }
        let desks = desk.map { EditingDesks(commits: $0, looks: LookDesk($0.committer)) }
        defer { desks?.looks.close() }
        let service = isInBackground ? nil : ServiceReport(request.environment)
        defer { service?.close() }
        let readers = readers(of: mount, hub, desk, log)
        watch.begin(readers)
        defer { watch.close() }
        let control = openControl(mount, desks, readers, logger)
        defer { control?.close() }

        if let owner {
            OwnerWatch(owner).begin {
                logger.warning("the process this mount was made for has ended: edits are kept")
                desk?.setEnding(.keep)
            }
        }
        let isWanted = signals.serve(end(of: mount, desk, logger)) && (readiness?.report() ?? true)
        if isInBackground { log.leaveStandardError() }
        if isWanted {
            logger.notice(
                "mounted",
                metadata: [
                    "source": "\(request.source.uri)",
                    "commit": "\((mount.committer?.base ?? mount.snapshot.commit).hex)",
                    "at": "\(mount.mountPoint)", "pid": "\(getpid())",
                ])
            askTreeSize(of: mount, hub)
            let status = readers.status
            service?.begin("\(request.source.uri) at \(mount.mountPoint)") { status().edits }
            returnProgramPages()
        } else {
            mount.stop()
        }
        if let desk, let workspace = mount.workspace {
            let timers = TimerQueue(name: "hubfs-auto")
            let repo = request.source.uri.repo
            let automatic = request.flags.pace(of: repo).map {
                AutomaticCommits($0, desk: desk, workspace: workspace, timers: timers)
            }
            let pulls = request.flags.followSeconds(of: repo).map { seconds in
                AutomaticPulls(everySeconds: seconds, desk, timers: timers) { sentence in
                    logger.warning("what others wrote does not show: \(sentence)")
                }
            }
            let events = pulls.flatMap { pulls in listen(hub) { pulls.ring() } }
            if let events { pulls?.listens { [weak events] in events?.isListening ?? false } }
            defer { events?.close() }
            if request.flags.flush == .fsync { mount.publishOnSync(desk.publish) }
            defer {
                automatic?.close()
                pulls?.close()
                timers.close()
            }
            mount.run { hub.cache.contents.endReads() }
            logger.notice("unmounted", metadata: ["at": "\(mount.mountPoint)"])
            defer { mount.workspace?.close() }
            service?.tellEnd()
            try finish(desk)
        } else {
            let events = mount.follower.flatMap { follower in listen(hub) { follower.ring() } }
            if let events {
                mount.follower?.listens { [weak events] in events?.isListening ?? false }
            }
            defer { events?.close() }
            mount.run {
                hub.cache.close()
                cacheIsClosed = true
            }
            service?.tellEnd()
            logger.notice("unmounted", metadata: ["at": "\(mount.mountPoint)"])
        }
        if !isWanted { throw Failure(.failure, "interrupted before the mount worked") }
    }

    /// Has somebody told when a bucket changes; nil for a repo, whose Hub does not tell.
    private func listen(
        _ hub: HubAccess, onChange: @escaping @Sendable () -> Void
    ) -> BucketEvents? {
        let repo = request.source.uri.repo
        guard repo.kind == .bucket else { return nil }
        let events = BucketEvents(hub.client, repo, onChange: onChange)
        events.start()
        return events
    }

    /// What a signal does.
    private func end(
        of mount: RepoMount, _ desk: CommitDesk?, _ logger: Logger
    ) -> StopSignals.End {
        let end = StopSignals.End { mount.stop() }
        guard let desk else { return end }
        return end.afterCommits(request.flags.shutdownTimeout, logger) { desk.stop() }
    }

    /// Does with the edits what the end of the mount asks for.
    private func finish(_ desk: CommitDesk) throws(Failure) {
        let result = waitForAnswer { completion in desk.finish(completion: completion) }
        desk.close()
        if let sentence = result.sentence { throw Failure(result.code, sentence) }
    }

    /// For `df`, which nobody waits for: asked when the mount works already.
    private func askTreeSize(of mount: RepoMount, _ hub: HubAccess) {
        let snapshot = mount.snapshot
        hub.client.treeSize(
            snapshot.repo, at: snapshot.commit, path: request.source.uri.path
        ) { [weak mount] result in
            if case .success(let bytes) = result { mount?.setTreeBytes(bytes) }
        }
    }

    /// Says what is in the way of mounting before the Hub is asked anything.
    private func checkFuse() throws(Failure) {
        let facts = FuseFacts.current
        let allowOther = request.flags.allowOther ? facts.allowOtherObstacle : nil
        if let obstacle = facts.obstacle ?? allowOther {
            throw Failure(.fuseUnavailable, obstacle)
        }
    }

    /// Looks for a mount of ours whose daemon hangs: `stat` would wait for it, for ever.
    private func checkMountPoint() throws(Failure) {
        let path = request.mountPoint
        guard MountTable.record(at: path)?.isOurs ?? false else { return }
        let folders = ControlFolder.existing(request.environment)
        let deadline = MonotonicInstant.now.advanced(bySeconds: Self.answerPatienceSeconds)
        guard case .silent(.hangs) = MountReport.ask([path], folders, deadline)[0].state else {
            return
        }
        throw Failure(
            .mountPoint,
            "hubfs is mounted at \(path) already, and its daemon does not answer: hubfs umount --force "
                + path)
    }

    /// Mounts; when the edits are in the hands of a daemon that commits them, after that.
    private func makeMountInTurn(
        _ hub: HubAccess, _ folder: VirtualFolder, _ logger: Logger
    ) throws(Failure) -> RepoMount {
        var turn: WorkspaceTurn?
        var triesLeft = WorkspaceTurn.tryCountMax
        defer { turn?.end() }
        while true {
            do throws(MountError) {
                return try makeMount(hub, folder, logger)
            } catch .workspace(.inUse(let path, let user)) {
                if triesLeft > 0, WorkspaceTurn.isOver(user) {
                    triesLeft -= 1
                    usleep(20_000)
                    continue
                }
                turn = turn ?? WorkspaceTurn(of: user)
                guard turn?.wait() ?? false else {
                    throw Failure(WriteBackError.inUse(path: path, owner: user))
                }
            } catch .source(.hub(.entryNotFound(let refusal))) {
                throw fileFailure(hub)
                    ?? Failure(.entryNotFound(refusal), isAnonymous: hub.isAnonymous)
            } catch {
                throw Failure(error, isAnonymous: hub.isAnonymous)
            }
        }
    }

    /// Edits of an earlier mount are a surprise to some.
    private func tellWhatWasFound(_ workspace: Workspace) {
        let found = workspace.found
        guard found.editCount > 0 else { return }
        let age = readableSpan(seconds: Int64(time(nil)) - found.usedSeconds)
        let edits = found.editCount == 1 ? "1 edit" : "\(found.editCount) edits"
        writeToStandardError(
            "hubfs: \(edits) of an earlier mount, last used \(age) ago, on top of commit "
                + "\(workspace.overlay.baseCommit.hex)\n")
        if let failure = found.lastFailure {
            writeToStandardError("hubfs: their last commit failed: \(printable(failure))\n")
        }
    }

    /// Commits may go elsewhere since an earlier mount, and wait for somebody to decide.
    private func tellWhatIsFollowed(_ committer: Committer) {
        let (ref, mounted) = (committer.branch.name, committer.mountedBranch)
        if ref != mounted {
            writeToStandardError(
                "hubfs: commits go to \(ref); hubfs commit --branch \(mounted) goes back to \(mounted)\n"
            )
        }
        guard let conflicts = try? committer.conflicts(), !conflicts.isEmpty else { return }
        let paths = conflicts.count == 1 ? "1 path was" : "\(conflicts.count) paths were"
        writeToStandardError(
            "hubfs: \(paths) changed by others too: hubfs status \(request.mountPoint)\n")
    }

    private func makeMount(
        _ hub: HubAccess, _ folder: VirtualFolder, _ logger: Logger
    ) throws(MountError) -> RepoMount {
        let flags = request.flags
        var options = SessionOptions()
        options.allowsOthers = flags.allowOther
        return try RepoMount(
            request.source.source, at: request.mountPoint, presentation: flags.presentation,
            options: options, editing: flags.writable ? editing(hub) : nil,
            followSeconds: flags.writable
                ? nil : flags.followSeconds(of: request.source.uri.repo),
            learning: request.learning, cache: hub.cache,
            folder: folder, logger: logger)
    }

    private func editing(_ hub: HubAccess) -> EditingOptions {
        var editing = EditingOptions(
            stateFolder: FilePath(request.environment.stateFolder),
            client: hub.client)
        editing.workspaceName = request.flags.workspace ?? ""
        editing.branch = request.flags.branch
        editing.createsBranch = request.flags.createBranch
        return editing
    }

    /// The failure for a source that names a file, of which the Hub only says that it is no
    /// directory.
    private func fileFailure(_ hub: HubAccess) -> Failure? {
        let path = request.source.uri.path
        guard let item = try? RepoBrowser(request.source, hub).item(at: path),
            item.type == "file"
        else { return nil }
        return Failure(
            .notFound,
            "\(path) is a file, and only directories can be mounted; 'hubfs cat' reads a file")
    }

    /// A mount works without its control socket, so that is no reason to fail.
    private func openControl(
        _ mount: RepoMount, _ desks: EditingDesks?, _ readers: MountReaders, _ logger: Logger
    ) -> ControlServer? {
        let folder = ControlFolder.own(request.environment)
        do throws(Failure) {
            try folder.prepare()
            return try ControlServer(
                at: folder.socket(of: mount.mountPoint), logger: logger, desks: desks,
                follower: mount.follower, readers: readers)
        } catch {
            logger.warning("hubfs status will not see this mount: \(error.sentence)")
            return nil
        }
    }

    private static func editStatus(_ mount: RepoMount, _ desk: CommitDesk?) -> EditStatus? {
        guard let desk, let workspace = mount.workspace else { return nil }
        let progress = desk.progress
        return EditStatus(
            workspacePath: workspace.folder.string, step: progress.step.rawValue,
            doneBytes: progress.doneBytes, totalBytes: progress.totalBytes, last: desk.last,
            ref: desk.committer.branch.name)
    }

    private func readers(
        of mount: RepoMount, _ hub: HubAccess, _ desk: CommitDesk?, _ log: DaemonLog
    ) -> MountReaders {
        let (uri, revision) = (request.source.uri, request.source.revision)
        let startedSeconds = Int64(time(nil))
        let facts = HubFacts(hub, log)
        let status = { @Sendable in
            var status = MountStatus(
                at: mount.mountPoint, source: uri.description, facts,
                startedSeconds: startedSeconds,
                kernel: KernelStatus(mount.passthrough, requests: mount.requestCounts))
            status.repo = mount.snapshot.repo.description
            status.revision = revision.name
            status.path = uri.path
            status.commit = (mount.committer?.base ?? mount.snapshot.commit).hex
            status.edits = Self.editStatus(mount, desk)
            status.follow = mount.follower.map { FollowReport($0.status) }
            return status
        }
        return MountReaders(status: status) {
            var figures = MountFigures(status(), facts, mount.requestTimes, log: log.lineCounts)
            if let overlay = mount.workspace?.overlay { figures.setEdited(overlay.edited) }
            return figures
        }
    }
}
