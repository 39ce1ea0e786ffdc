import FuseBridge
import Glibc
import HubClient
import Logging
import Platform
import RepoCache
import SystemPackage
import WriteBack

/// Learns which repos of the whole Hub's tree are edited: whoever commits them.
package protocol EditedRepoKeeper: AnyObject, Sendable {
    /// A repo can be edited from now on. Waits for nothing.
    ///
    /// - Parameter path: From the mount point: `models/org/name@revision`.
    func opened(_ repo: EditedRepo, at path: String)

    /// A repo that nobody uses, and of which everything is in commits, goes: closes its workspace.
    func close(_ repo: EditedRepo, at path: String)
}

/// How the repos of the whole Hub's tree are edited.
package struct TreeEditing: Sendable {
    package let options: EditingOptions
    package let keeper: any EditedRepoKeeper

    package init(options: EditingOptions, keeper: any EditedRepoKeeper) {
        self.options = options
        self.keeper = keeper
    }
}

/// What a repo of the tree is served by once it is open.
struct OpenedPart {
    let fileSystem: any TreePart
    /// Nil for a repo that is shown as it is.
    var edited: EditedRepo?
    /// Why it cannot be edited, though the mount can; nil when it can, and when nobody has to be told.
    var obstacle: String?
}

/// Opens those repos of the whole Hub's tree for editing that the token may write.
///
/// That takes questions to the Hub and a workspace on disk, so it is tried for repos of the token's own
/// account and its organisations alone, and for those whose edits wait in a workspace.
final class RepoEditors: Sendable {
    /// Gets nil when the mount ends.
    typealias Completion = @Sendable (OpenedPart?) -> Void

    private struct State {
        var waiters: [TreeRepo: [Completion]] = [:]
        var isClosed = false
    }

    private let editing: TreeEditing
    private let mountPoint: String
    private let presentation: Presentation
    private let catalogue: HubCatalogue
    private let cache: RepoCache
    private let logger: Logger
    private let openings = Worker(name: "hubfs-editors", threadCount: 4, jobCountMax: 1024)
    private let closings = Worker(name: "hubfs-closing")
    private let state = Guarded(State(), rank: .leaf)

    /// How often, and how far apart, a workspace is tried that this mount is about to close.
    private static let closingTryCountMax = 100
    private static let closingTryMicroseconds: UInt32 = 50_000

    init(
        _ editing: TreeEditing, at mountPoint: String, presentation: Presentation,
        catalogue: HubCatalogue, cache: RepoCache, logger: Logger
    ) {
        self.editing = editing
        self.mountPoint = mountPoint
        self.presentation = presentation
        self.catalogue = catalogue
        self.cache = cache
        self.logger = logger
    }

    /// The room for edits on the disk of the workspaces, bytes; zero where it cannot be asked.
    var room: (totalBytes: UInt64, availableBytes: UInt64) {
        var folder = editing.options.stateFolder
        // Before the first workspace there may be no folder.
        while true {
            if let facts = try? FileSystemFacts(of: folder) {
                let floor = editing.options.floorBytes ?? Workspace.floorBytes
                return (facts.totalBytes, facts.availableBytes - min(facts.availableBytes, floor))
            }
            guard folder.removeLastComponent() else { return (0, 0) }
        }
    }

    /// Opens a repo for editing if it may be edited, or answers how it is shown else.
    ///
    /// - Parameters:
    ///   - base: What the branch has.
    ///   - reading: Makes what shows it as it is.
    ///   - known: What is open of it by now: somebody else may have been faster.
    ///   - completion: Runs once, at once or on a thread of ours.
    func open(
        _ name: TreeRepo, on base: BaseTree, reading: @escaping @Sendable () -> any TreePart,
        known: @escaping @Sendable () -> OpenedPart?, completion: @escaping Completion
    ) {
        let source = RepoMount.Source(
            repo: base.snapshot.repo, revision: name.revision ?? .main, path: "")
        // A commit is no branch, whosever it is.
        if CommitOID(hex: source.revision.name) != nil {
            return completion(OpenedPart(fileSystem: reading()))
        }
        judge(source) { [self] verdict in
            if case .readOnly(let obstacle) = verdict {
                return completion(OpenedPart(fileSystem: reading(), obstacle: obstacle))
            }
            let mustOpen = state.withLock { state -> Bool? in
                if state.isClosed { return nil }
                let isFirst = state.waiters[name] == nil
                state.waiters[name, default: []].append(completion)
                return isFirst
            }
            guard let mustOpen else { return completion(nil) }
            guard mustOpen else { return }
            let isTaken = openings.submit { [self] in
                answer(name, known() ?? opened(name, source, base, reading: reading))
            }
            if !isTaken { answer(name, OpenedPart(fileSystem: reading(), obstacle: "busy")) }
        }
    }

    /// A repo has its place in the tree.
    func opened(_ repo: EditedRepo, as name: TreeRepo) {
        editing.keeper.opened(repo, at: name.description)
    }

    /// Closes what was removed from the tree, on a thread of ours.
    func close(_ repo: EditedRepo, as name: TreeRepo) {
        // Once that is closed itself, whatever is open is the keeper's to close.
        _ = closings.submit { [editing] in
            editing.keeper.close(repo, at: name.description)
        }
    }

    /// Opens nothing more, and answers those who wait.
    func stop() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [:] }
            return state.waiters.values.joined()
        }
        for completion in waiters { completion(nil) }
    }

    /// Waits for what is being opened and closed. Call once, after `stop`, when no request waits.
    func close() {
        openings.close()
        closings.close()
    }

    /// Whether it is worth trying to open a repo for editing.
    private enum Verdict {
        case worthTrying
        case readOnly(obstacle: String?)
    }

    private func judge(
        _ source: RepoMount.Source, completion: @escaping @Sendable (Verdict) -> Void
    ) {
        let key = WorkspaceKey(source, of: source.repo, editing.options)
        if Workspace.exists(key, in: editing.options.stateFolder) {
            return completion(.worthTrying)
        }
        guard let account = TreeRepo(source.repo, nil).account else {
            return completion(.readOnly(obstacle: nil))
        }
        catalogue.owner { owner in
            guard let owner else {
                return completion(
                    .readOnly(obstacle: "the Hub has not told yet whose the token is"))
            }
            completion(owner.names(account) ? .worthTrying : .readOnly(obstacle: nil))
        }
    }

    private func opened(
        _ name: TreeRepo, _ source: RepoMount.Source, _ base: BaseTree,
        reading: () -> any TreePart
    ) -> OpenedPart? {
        do throws(MountError) {
            let edited = try editedRepo(name, source, base)
            if state.withLock({ $0.isClosed }) {
                edited.workspace.close()
                return nil
            }
            return OpenedPart(fileSystem: edited.fileSystem, edited: edited)
        } catch .notABranch {
            return OpenedPart(fileSystem: reading())
        } catch {
            let obstacle = error.obstacle
            logger.notice("\(name) is shown read only: \(obstacle)")
            return OpenedPart(fileSystem: reading(), obstacle: obstacle)
        }
    }

    private func editedRepo(
        _ name: TreeRepo, _ source: RepoMount.Source, _ base: BaseTree
    ) throws(MountError) -> EditedRepo {
        var triesLeft = Self.closingTryCountMax
        while true {
            do throws(MountError) {
                return try EditedRepo(
                    source, at: mountPoint, on: base, editing.options, presentation: presentation,
                    numberedAs: name.description, cache: cache, logger: logger)
            } catch .workspace(.inUse(let path, let owner)) {
                // Dropped a moment ago, and not closed yet.
                guard triesLeft > 0, WorkspaceUser(text: owner)?.pid == getpid() else {
                    throw .workspace(.inUse(path: path, owner: owner))
                }
                triesLeft -= 1
                usleep(Self.closingTryMicroseconds)
            }
        }
    }

    /// The opening is over when all who waited have their answer, and the tree knows the repo: whoever
    /// comes later finds it there.
    private func answer(_ name: TreeRepo, _ part: OpenedPart?) {
        while true {
            let waiters = state.withLock { state -> [Completion] in
                let waiters = state.waiters[name] ?? []
                state.waiters[name] = waiters.isEmpty ? nil : []
                return waiters
            }
            if waiters.isEmpty { return }
            for completion in waiters { completion(part) }
        }
    }
}

extension MountError {
    /// Why a repo cannot be edited, for people.
    fileprivate var obstacle: String {
        switch self {
        case .notWritable(let error): "the Hub does not let this token commit: \(error)"
        case .workspace(let error): "\(error)"
        case .target(let error): "\(error)"
        case .source(let error): "\(error)"
        case .mountPoint, .alreadyMounted, .fuse, .notABranch, .nothingToFollow, .foreignOrder:
            "\(self)"
        }
    }
}
