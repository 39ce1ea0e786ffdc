import FuseBridge
import Glibc
import HubClient
import Logging
import Platform
import RepoCache
import RepoFS

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

    /// Returns when the mount has ended; the cache is closed then.
    ///
    /// - Returns: false when somebody had ended it before it worked.
    /// - Throws: `Failure` when it never came up; the cache is still open.
    func serve(
        _ signals: StopSignals, _ readiness: Readiness?, isInBackground: Bool
    ) throws(Failure) -> Bool {
        let mount = try makeMount()
        let service = isInBackground ? nil : ServiceReport(request.environment)
        defer { service?.close() }
        let readers = readers(of: mount)
        watch.begin(readers)
        defer { watch.close() }
        let control = openControl(mount, readers)
        defer { control?.close() }
        let isWanted =
            signals.serve(StopSignals.End { mount.stop() }) && (readiness?.report() ?? true)
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
        mount.run { hub.cache.close() }
        service?.tellEnd()
        logger.notice("unmounted", metadata: ["at": "\(mount.mountPoint)"])
        return isWanted
    }

    private func makeMount() throws(Failure) -> HubMount {
        let flags = request.flags
        var options = SessionOptions()
        options.allowsOthers = flags.allowOther
        do throws(MountError) {
            return try HubMount(
                at: request.mountPoint, presentation: flags.presentation, options: options,
                policy: flags.treePolicy, client: hub.client, cache: hub.cache,
                folder: watch.folder, logger: logger)
        } catch {
            throw Failure(error, isAnonymous: hub.isAnonymous)
        }
    }

    private func readers(of mount: HubMount) -> MountReaders {
        let facts = HubFacts(hub, log)
        let startedSeconds = Int64(time(nil))
        let status = { @Sendable in
            var status = MountStatus(
                at: mount.mountPoint, source: "hf://", facts, startedSeconds: startedSeconds,
                kernel: KernelStatus(mount.passthrough, requests: mount.requestCounts))
            status.tree = TreeReport(mount.openRepos)
            return status
        }
        return MountReaders(status: status) { [log] in
            MountFigures(status(), facts, mount.requestTimes, log: log.lineCounts)
        }
    }

    /// A mount works without its control socket, so that is no reason to fail.
    private func openControl(
        _ mount: HubMount, _ readers: MountReaders
    ) -> ControlServer? {
        let folder = ControlFolder.own(request.environment)
        do throws(Failure) {
            try folder.prepare()
            return try ControlServer(
                at: folder.socket(of: mount.mountPoint), logger: logger, desks: nil,
                follower: nil, readers: readers)
        } catch {
            logger.warning("hubfs status will not see this mount: \(error.sentence)")
            return nil
        }
    }
}
