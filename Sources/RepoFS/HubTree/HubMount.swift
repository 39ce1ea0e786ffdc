package import FuseBridge
import Glibc
package import HubClient
package import Logging
import Platform
package import RepoCache
import SystemPackage

/// The whole Hub, mounted at one place.
///
/// `init` mounts and asks the Hub nothing: afterwards the kernel holds requests for us. `run` answers
/// them until somebody unmounts or `stop` is called.
package final class HubMount: Sendable {
    /// A repo that is open at one commit.
    package struct OpenRepo: Hashable, Sendable {
        /// From the mount point: `models/org/name@revision`.
        package let path: String
        package let commit: CommitOID
        /// Dropped, and still in use by somebody.
        package let isDetached: Bool
        package let isEdited: Bool
        /// Why it cannot be edited, where that has to be told.
        package let obstacle: String?
    }

    package let mountPoint: String
    private let tree: HubTreeFileSystem
    private let catalogue: HubCatalogue
    private let session: FuseSession
    private let backingFiles: BackingFiles?
    private let notifier: Notifier
    private let timers = TimerQueue(name: "hubfs-tree")
    private let idleRepos: IdleRepos

    /// Checks and mounts.
    ///
    /// - Parameters:
    ///   - mountPoint: An absolute path of an existing directory.
    ///   - editing: Makes the repos writable that the token may write.
    ///   - cache: Shared by all mounts of the process; stays open.
    ///   - folder: Shown in the root.
    package init(
        at mountPoint: String, presentation: Presentation, options: SessionOptions,
        policy: HubTreePolicy, editing: TreeEditing? = nil, client: HubClient, cache: RepoCache,
        folder: VirtualFolder? = nil, logger: Logger
    ) throws(MountError) {
        do throws(MountError) {
            try MountPlace.prepare(mountPoint, logger)
            do throws(CacheError) {
                try cache.awaitOpening()
            } catch {
                throw .source(error)
            }
            self.mountPoint = mountPoint
            // The kernel would write to them.
            backingFiles = editing == nil ? MountPlace.backingFiles(for: cache) : nil
            catalogue = HubCatalogue(
                policy: policy, client: client, snapshots: cache.snapshots, timers: timers,
                logger: logger)
            let editors = editing.map { [catalogue] editing in
                RepoEditors(
                    editing, at: mountPoint, presentation: presentation, catalogue: catalogue,
                    cache: cache, logger: logger)
            }
            var options = options
            options.isWritable = editing != nil
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            tree = HubTreeFileSystem(
                catalogue: catalogue, cache: cache, editors: editors,
                presentation: presentation, backingFiles: backingFiles,
                startNanoseconds: Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec),
                logger: logger)
            do throws(FuseError) {
                session = try FuseSession(
                    fileSystem: tree, options: options, backingFiles: backingFiles,
                    folder: folder, logger: logger)
                try session.mount(at: mountPoint)
            } catch {
                throw .fuse(error)
            }
        } catch {
            timers.close()
            throw error
        }
        notifier = Notifier(session: session)
        tree.begin(notifier)
        idleRepos = IdleRepos(tree, at: mountPoint, notifier: notifier, timers: timers)
        let (tree, notifier) = (self.tree, self.notifier)
        cache.contents.onContentDropped { content in
            for node in tree.nodes(holding: content) { notifier.invalidatePages(of: node) }
        }
    }

    /// What the kernel has asked for since the mount began.
    package var requestCounts: [String: UInt64] { session.counters.snapshot }

    /// How long it waited for the answers.
    package var requestTimes: RequestTimes.Snapshot { session.times.snapshot }

    /// Whether the kernel reads whole files by itself, and how many opens were of that kind.
    package var passthrough: (standing: BackingFiles.Standing, openCount: UInt64) {
        (backingFiles?.standing ?? .unavailable, backingFiles?.openCount ?? 0)
    }

    /// Repos that are open, in the order of their paths.
    package var openRepos: [OpenRepo] { tree.openRepos }

    /// Serves until the mount is gone. Call once, on a thread that may wait.
    ///
    /// - Parameter willEnd: Must end every read that is parked: closes the cache, as a rule.
    package func run(willEnd: () -> Void) {
        idleRepos.start()
        session.run {
            idleRepos.close()
            // A notification waits for lookups in its directory, and for pages that are read: those
            // end first.
            tree.editors?.stop()
            catalogue.close()
            willEnd()
            notifier.close()
            tree.closeHandles()
        }
        tree.editors?.close()
        timers.close()
    }

    /// Ends `run`, from any thread, whoever still uses the mount.
    package func stop() { session.stop() }
}
