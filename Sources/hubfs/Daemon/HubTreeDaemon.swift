import FuseBridge
import Glibc
import HubClient
import Logging
import Platform
import RepoCache
import RepoFS
import SystemPackage
import WriteBack

/// A mount of the whole Hub from its start to its end, as `MountDaemon` has one of a repo.
struct HubTreeDaemon {
    private let request: MountRequest
    private let hub: HubAccess
    private let log: DaemonLog
    private let watch: DaemonWatch
    private let logger: Logger

    init(
        _ request: MountRequest, _ hub: HubAccess, log: DaemonLog, watch: DaemonWatch,
        logger: Logger
    ) {
        self.request = request
        self.hub = hub
        self.log = log
        self.watch = watch
        self.logger = logger
    }

    /// Returns when the mount has ended, and its edits are where they belong.
    ///
    /// - Returns: false when somebody had ended it before it worked.
    /// - Throws: `Failure` when it never came up, and when not all edits are at the Hub though they were to
    ///   be.
    func serve(
        _ signals: StopSignals, _ readiness: Readiness?, isInBackground: Bool
    ) throws(Failure) -> Bool {
        if request.flags.writable, hub.isAnonymous {
            throw Failure(
                .accessRefused,
                "nothing could ever be committed without a token, and none was found (HF_TOKEN, --token-file or hf "
                    + "auth login): mount without -w to read")
        }
        let desk =
            request.flags.writable
            ? TreeDesk(request.flags.commitRequest, at: request.flags.commit, logger: logger) : nil
        defer { desk?.close() }
        let mount = try makeMount(desk)
        tellWhatWaits()
        let looks = desk.map { desk in LookDesk { desk.places } }
        defer { looks?.close() }
        let service = isInBackground ? nil : ServiceReport(request.environment)
        defer { service?.close() }
        let readers = readers(of: mount, desk)
        watch.begin(readers)
        defer { watch.close() }
        let desks = desk.flatMap { desk in
            looks.map { EditingDesks(commits: desk, looks: $0) }
        }
        let control = openControl(mount, desks, readers)
        defer { control?.close() }
        let isWanted = signals.serve(end(of: mount, desk)) && (readiness?.report() ?? true)
        if isInBackground { log.leaveStandardError() }
        if isWanted {
            logger.notice(
                "mounted",
                metadata: ["source": "hf://", "at": "\(mount.mountPoint)", "pid": "\(getpid())"])
            service?.begin("hf:// at \(mount.mountPoint)") { readers.status().edits }
            returnProgramPages()
        } else {
            mount.stop()
        }
        // Commits read from the cache.
        mount.run { hub.cache.contents.endReads() }
        service?.tellEnd()
        logger.notice("unmounted", metadata: ["at": "\(mount.mountPoint)"])
        if let desk { try finish(desk) }
        return isWanted
    }

    /// What a signal does.
    private func end(of mount: HubMount, _ desk: TreeDesk?) -> StopSignals.End {
        let end = StopSignals.End { mount.stop() }
        guard let desk else { return end }
        return end.afterCommits(request.flags.shutdownTimeout, logger) { desk.stop() }
    }

    /// Does with the edits what the end of the mount asks for.
    private func finish(_ desk: TreeDesk) throws(Failure) {
        desk.stopAutomaticCommits()
        let result = waitForAnswer { completion in desk.finish(completion: completion) }
        if let sentence = result.sentence { throw Failure(result.code, sentence) }
    }

    /// Edits of earlier mounts are a surprise to some. Their repos are not opened for that: whoever kept
    /// them may not want them committed by a mount that was made for something else.
    private func tellWhatWaits() {
        guard request.flags.writable else { return }
        let (endpoint, name) = (
            hub.client.configuration.endpoint, request.flags.workspace ?? ""
        )
        let all = try? FoundWorkspace.all(in: FilePath(request.environment.stateFolder)).found
        let waiting = (all ?? []).filter { workspace in
            workspace.key.endpoint == endpoint && workspace.key.path.isEmpty
                && workspace.key.name == name && workspace.user == nil
                && workspace.summary.editCount > 0
        }
        guard let first = waiting.first else { return }
        let more = waiting.count > 1 ? " and \(waiting.count - 1) more" : ""
        writeToStandardError(
            "hubfs: edits of earlier mounts wait in \(first.key.repo)\(more), until the repo is used "
                + "here or 'hubfs recover' is asked\n")
    }

    private func makeMount(_ desk: TreeDesk?) throws(Failure) -> HubMount {
        let flags = request.flags
        var options = SessionOptions()
        options.allowsOthers = flags.allowOther
        do throws(MountError) {
            return try HubMount(
                at: request.mountPoint, presentation: flags.presentation, options: options,
                policy: flags.treePolicy, editing: desk.map { editing($0) }, client: hub.client,
                cache: hub.cache, folder: watch.folder, logger: logger)
        } catch {
            throw Failure(error, isAnonymous: hub.isAnonymous)
        }
    }

    private func editing(_ desk: TreeDesk) -> TreeEditing {
        var options = EditingOptions(
            stateFolder: FilePath(request.environment.stateFolder), client: hub.client)
        options.workspaceName = request.flags.workspace ?? ""
        return TreeEditing(options: options, keeper: desk)
    }

    /// What is known of edits, of all repos together.
    private static func editStatus(_ desk: TreeDesk, _ folder: String) -> EditStatus {
        let progress = desk.progress
        return EditStatus(
            workspacePath: folder, step: progress.step.rawValue, doneBytes: progress.doneBytes,
            totalBytes: progress.totalBytes, last: desk.last)
    }

    private func readers(of mount: HubMount, _ desk: TreeDesk?) -> MountReaders {
        let workspaces = FilePath(request.environment.stateFolder).appending("workspaces").string
        let facts = HubFacts(hub, log)
        let startedSeconds = Int64(time(nil))
        let status = { @Sendable in
            var status = MountStatus(
                at: mount.mountPoint, source: "hf://", facts, startedSeconds: startedSeconds,
                kernel: KernelStatus(mount.passthrough, requests: mount.requestCounts))
            status.tree = TreeReport(mount.openRepos)
            status.edits = desk.map { Self.editStatus($0, workspaces) }
            return status
        }
        return MountReaders(status: status) { [log] in
            var figures = MountFigures(status(), facts, mount.requestTimes, log: log.lineCounts)
            if let desk { figures.setEdited(desk.edited) }
            return figures
        }
    }

    /// A mount works without its control socket, so that is no reason to fail.
    private func openControl(
        _ mount: HubMount, _ desks: EditingDesks?, _ readers: MountReaders
    ) -> ControlServer? {
        let folder = ControlFolder.own(request.environment)
        do throws(Failure) {
            try folder.prepare()
            return try ControlServer(
                at: folder.socket(of: mount.mountPoint), logger: logger, desks: desks,
                follower: nil, readers: readers)
        } catch {
            logger.warning("hubfs status will not see this mount: \(error.sentence)")
            return nil
        }
    }
}
