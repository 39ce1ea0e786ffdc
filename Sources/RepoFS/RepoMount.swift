package import FuseBridge
import Glibc
package import HubClient
package import Logging
import Platform
package import RepoCache
import SystemPackage
package import WriteBack

/// One repo, or a directory of it, mounted at one place.
///
/// `init` resolves the source and mounts it: afterwards the kernel holds requests for us. `run`
/// answers them until somebody unmounts or `stop` is called.
package final class RepoMount: Sendable {
    /// What to mount.
    package struct Source: Hashable, Sendable {
        package let repo: RepoID
        package let revision: Revision
        /// Directory from the root of the repo; "" for all of it.
        package let path: String

        package init(repo: RepoID, revision: Revision, path: String) {
            self.repo = repo
            self.revision = revision
            self.path = path
        }
    }

    package let mountPoint: String
    private let base: BaseTree
    private let tree: any MountedTree
    /// The same on a mount that is read only.
    private let reading: RepoFileSystem?
    /// Lets the mount go where its branch goes; nil on one that stays, or moves by commits of its own.
    package let follower: BranchFollower?
    /// The edits; nil on a mount that is read only.
    package let workspace: Workspace?
    /// Publishes them; nil on a mount that is read only.
    package let committer: Committer?
    private let session: FuseSession
    private let backingFiles: BackingFiles?
    private let notifier: Notifier
    private let observer: KernelObserver?

    /// Resolves, checks and mounts. Waits for the Hub, at most as long as its time-outs allow.
    ///
    /// - Parameters:
    ///   - mountPoint: An absolute path of an existing directory.
    ///   - editing: Makes the mount writable.
    ///   - followSeconds: Lets a mount that is read only follow its branch, which is asked for so often.
    ///   - learning: What becomes of the orders in which files are read.
    ///   - cache: Shared by all mounts of the process; stays open.
    ///   - folder: Shown in the root, unless the repo has something of that name there.
    package init(
        _ source: Source, at mountPoint: String, presentation: Presentation,
        options: SessionOptions, editing: EditingOptions? = nil, followSeconds: Double? = nil,
        learning: Learning = Learning(), cache: RepoCache, folder: VirtualFolder? = nil,
        logger: Logger
    ) throws(MountError) {
        precondition(editing == nil || followSeconds == nil, "what is edited moves by itself")
        try MountPlace.prepare(mountPoint, logger)
        self.mountPoint = mountPoint
        backingFiles = editing == nil ? MountPlace.backingFiles(for: cache) : nil
        let isPart = source.repo.kind == .bucket && !source.path.isEmpty
        let head = try BaseTree.open(
            source, at: source.revision, mayBeEmpty: !isPart || editing != nil, cache: cache,
            logger: logger)
        if followSeconds != nil { try Self.checkMoves(source.revision, head.snapshot) }
        try Self.check(learning, of: head.snapshot)
        if let editing {
            let edited = try EditedRepo(
                source, at: mountPoint, on: head, editing, presentation: presentation,
                cache: cache, logger: logger)
            workspace = edited.workspace
            committer = edited.committer
            base = edited.firstBase
            tree = edited.fileSystem
            reading = nil
        } else {
            workspace = nil
            committer = nil
            base = head
            let fileSystem = RepoFileSystem(
                base: base, presentation: presentation, backingFiles: backingFiles,
                isMoving: followSeconds != nil, logger: logger)
            tree = fileSystem
            reading = fileSystem
        }
        var options = options
        options.isWritable = editing != nil
        do throws(FuseError) {
            session = try FuseSession(
                fileSystem: tree, options: options, backingFiles: backingFiles, folder: folder,
                logger: logger)
            try session.mount(at: mountPoint)
        } catch {
            workspace?.close()
            throw .fuse(error)
        }
        notifier = Notifier(session: session)
        let (tree, notifier) = (self.tree, self.notifier)
        cache.contents.onContentDropped { content in
            for node in tree.nodes(holding: content) { notifier.invalidatePages(of: node) }
        }
        if let committer {
            let observer = KernelObserver(notifier)
            self.observer = observer
            committer.observe(observer)
        } else {
            observer = nil
        }
        if let reading, let followSeconds {
            follower = BranchFollower(
                source.repo, source.revision, intervalSeconds: followSeconds, fileSystem: reading,
                cache: cache, notifier: notifier, logger: logger)
        } else {
            follower = nil
        }
        cache.learned.begin(base.snapshot, below: source.path, learning)
    }

    /// What the kernel has asked for since the mount began.
    package var requestCounts: [String: UInt64] { session.counters.snapshot }

    /// How long it waited for the answers.
    package var requestTimes: RequestTimes.Snapshot { session.times.snapshot }

    /// Whether the kernel reads whole files by itself, and how many opens were of that kind.
    package var passthrough: (standing: BackingFiles.Standing, openCount: UInt64) {
        (backingFiles?.standing ?? .unavailable, backingFiles?.openCount ?? 0)
    }

    /// What the mount shows now.
    package var snapshot: RepoSnapshot { currentBase.snapshot }

    private var currentBase: BaseTree { reading?.base ?? base }

    /// Tells `statfs` how large the mounted tree is; until then it shows what was listed so far.
    package func setTreeBytes(_ bytes: UInt64) {
        currentBase.setTreeBytes(bytes)
    }

    /// Has fsync(2) wait until the edits are published.
    ///
    /// - Parameter publish: Tells whether they are.
    package func publishOnSync(
        _ publish: @escaping @Sendable (_ completion: @escaping @Sendable (Bool) -> Void) -> Void
    ) {
        (tree as? WritableRepoFileSystem)?.publishOnSync.withLock { $0 = publish }
    }

    /// Serves until the mount is gone. Call once, on a thread that may wait.
    ///
    /// - Parameter willEnd: Must end every read that is parked: closes the cache, as a rule.
    package func run(willEnd: () -> Void) {
        follower?.start()
        session.run {
            follower?.close()
            // A notification waits for lookups in its directory, and for pages that are read: those
            // end first.
            willEnd()
            notifier.close()
            tree.closeHandles()
        }
    }

    /// Ends `run`, from any thread, whoever still uses the mount.
    package func stop() {
        session.stop()
    }

    /// The beginning of a commit's oid is a commit too.
    private static func checkMoves(
        _ revision: Revision, _ snapshot: RepoSnapshot
    ) throws(MountError) {
        let isCommit = revision.name.count >= 7 && snapshot.commit.hex.hasPrefix(revision.name)
        if isCommit { throw .nothingToFollow(revision: revision.name) }
    }

    private static func check(
        _ learning: Learning, of snapshot: RepoSnapshot
    ) throws(MountError) {
        guard case .given(let order) = learning.replay, order.repo != snapshot.repo else { return }
        throw .foreignOrder(recorded: order.repo, mounted: snapshot.repo)
    }
}
