import FuseBridge
import Glibc
import HubClient
import Logging
import Platform
import RepoCache
import SystemPackage
package import WriteBack

/// A repo that is edited: its workspace, who publishes that, and what the kernel sees of it.
package final class EditedRepo: Sendable {
    package let workspace: Workspace
    package let committer: Committer
    let fileSystem: WritableRepoFileSystem
    /// What the workspace stood on when it was opened.
    let firstBase: BaseTree

    /// Opens the workspace. Waits for the Hub, at most as long as its time-outs allow.
    ///
    /// - Parameters:
    ///   - mountPoint: Whoever finds the workspace in use is told of it.
    ///   - head: What the branch has.
    ///   - name: What inode numbers are made from, where it is not the repo's own name.
    /// - Throws: `.notWritable` and `.notABranch` for what can never be committed.
    init(
        _ source: RepoMount.Source, at mountPoint: String, on head: BaseTree,
        _ editing: EditingOptions, presentation: Presentation, numberedAs name: String? = nil,
        cache: RepoCache, logger: Logger
    ) throws(MountError) {
        let repo = head.snapshot.repo
        try WritingRights(
            client: editing.client, repo: repo, revision: source.revision, logger: logger
        ).check()
        do throws(WriteBackError) {
            workspace = try Workspace(
                WorkspaceKey(source, of: repo, editing), in: editing.stateFolder,
                head: head.snapshot.commit,
                numbering: RepoInodeNumbering(
                    repo: repo, path: source.path, numberedAs: name),
                owner: WorkspaceUser(mountPoint: mountPoint, pid: getpid()).text,
                floorBytes: editing.floorBytes ?? Workspace.floorBytes, logger: logger)
        } catch {
            throw .workspace(error)
        }
        do throws(MountError) {
            firstBase = try Self.base(of: workspace, source, head, cache, logger)
            let bases = BaseTrees(first: firstBase, cache: cache)
            committer = Committer(
                client: editing.client, workspace: workspace, source: bases, sink: bases,
                memory: CachedChunks(cache), logger: logger)
            try Self.bringUp(committer, isListed: firstBase !== head, head, editing, logger)
            fileSystem = WritableRepoFileSystem(
                workspace: workspace, bases: bases, presentation: presentation, logger: logger)
        } catch {
            workspace.close()
            throw error
        }
    }

    /// The commit a workspace stands on: the head, unless there are edits of an older one. The head as
    /// well when the Hub does not have that one any more, nor the cache.
    private static func base(
        of workspace: Workspace, _ source: RepoMount.Source, _ head: BaseTree, _ cache: RepoCache,
        _ logger: Logger
    ) throws(MountError) -> BaseTree {
        let commit = workspace.overlay.baseCommit
        if commit == head.snapshot.commit { return head }
        do throws(MountError) {
            return try BaseTree.open(
                source, at: Revision(commit.hex), cache: cache, logger: logger)
        } catch .source(.hub(.revisionNotFound)) {
            return head
        }
    }

    private static func bringUp(
        _ committer: Committer, isListed: Bool, _ head: BaseTree, _ editing: EditingOptions,
        _ logger: Logger
    ) throws(MountError) {
        do throws(PublishError) {
            try leaveLostBase(committer, isListed: isListed, head, editing, logger)
            catchUp(committer, with: head.snapshot.commit, logger)
            if let branch = editing.branch {
                try committer.goTo(branch, creates: editing.createsBranch)
            }
        } catch {
            throw .target(error)
        }
    }

    /// Edits of a commit that is lost go on on the head.
    ///
    /// - Parameter isListed: Whether the mount can do with what the cache has of it.
    private static func leaveLostBase(
        _ committer: Committer, isListed: Bool, _ head: BaseTree, _ editing: EditingOptions,
        _ logger: Logger
    ) throws(PublishError) {
        let base = committer.base
        if base == head.snapshot.commit { return }
        do throws(PublishError) {
            let isLost = try committer.leaveLostBase(for: editing.branch)
            if !isLost, !isListed { throw .baseLost(base) }
        } catch {
            guard isListed else { throw error }
            logger.warning("whether the Hub has commit \(base.hex) still is not known: \(error)")
        }
    }

    /// A workspace without edits follows the branch; one with edits stays on its commit, and says so.
    private static func catchUp(_ committer: Committer, with head: CommitOID, _ logger: Logger) {
        let base = committer.base
        guard base != head else { return }
        do throws(PublishError) {
            if try committer.changes().isEmpty {
                _ = try committer.pull()
            } else {
                logger.notice(
                    "the workspace has edits of an older commit; hubfs pull moves them to the head",
                    metadata: ["commit": "\(base.hex)", "head": "\(head.hex)"])
            }
        } catch {
            logger.warning("the workspace stays on \(base.hex): \(error)")
        }
    }
}

extension WorkspaceKey {
    init(_ source: RepoMount.Source, of repo: RepoID, _ editing: EditingOptions) {
        self.init(
            endpoint: editing.client.configuration.endpoint, repo: repo,
            branch: source.revision.name, path: source.path, name: editing.workspaceName)
    }
}

extension BaseTree {
    /// Resolves the revision and lists the mounted directory once, so that what is wrong with the
    /// source is said now and not by the first `ls`.
    ///
    /// - Parameter mayBeEmpty: Whether there is something to mount where nothing is. A folder of a bucket is
    ///   there because of its files.
    static func open(
        _ source: RepoMount.Source, at revision: Revision, mayBeEmpty: Bool = true,
        cache: RepoCache, logger: Logger
    ) throws(MountError) -> BaseTree {
        let answer = waitForAnswer { completion in
            cache.snapshots.snapshot(source.repo, revision, completion: completion)
        }
        do throws(CacheError) {
            let resolved = try answer.get()
            if resolved.isStale {
                logger.warning("the Hub cannot be asked: \(source.repo) as it was last seen")
            }
            let base = BaseTree(snapshot: resolved.snapshot, rootPath: source.path, cache: cache)
            let root = waitForAnswer { completion in
                base.listing(path: "", tree: nil, completion: completion)
            }
            if try root.get().count == 0, !mayBeEmpty {
                throw CacheError.hub(.noFolder(source.path, of: source.repo))
            }
            try cache.awaitOpening()
            return base
        } catch {
            throw .source(error)
        }
    }
}
