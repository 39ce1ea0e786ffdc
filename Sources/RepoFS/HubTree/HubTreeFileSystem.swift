import FuseBridge
import HubClient
import Logging
import Platform
import RepoCache
import SystemPackage
import WriteBack

/// The whole Hub as the kernel sees it: accounts and repos by name, and below each repo that repo's own
/// file system.
///
/// The upper bits of a node's number tell the repo it is of, the lower ones are the repo's own node
/// (`PartNumbers`); part 0 is the tree itself: the root, the kinds, the accounts, and links from other
/// spellings of a name to the one the Hub has. A repo's own file system stays as it is for a mount of
/// its own.
///
/// What is not known parks its reply until the Hub has answered (`HubCatalogue`); nothing here waits on
/// the network.
///
/// Locks: `tables`, and below it those of the repos' inodes.
final class HubTreeFileSystem: FileSystem {
    struct Tables {
        var places = PlaceTable()
        var slots = SlotTable()
    }

    let catalogue: HubCatalogue
    let policy: HubTreePolicy
    let presentation: Presentation
    let logger: Logger
    let tables = Guarded(Tables(), rank: .session)
    let directories = Guarded(HandleTable<[DirectoryRow]>(), rank: .handle)
    private let cache: RepoCache
    /// Nil when nothing can be edited.
    let editors: RepoEditors?
    private let notifier = Guarded<Notifier?>(nil, rank: .leaf)
    private let backingFiles: BackingFiles?
    /// Shown as the time of what the Hub has no time for.
    private let startNanoseconds: Int64

    init(
        catalogue: HubCatalogue, cache: RepoCache, editors: RepoEditors?,
        presentation: Presentation, backingFiles: BackingFiles?, startNanoseconds: Int64,
        logger: Logger
    ) {
        self.editors = editors
        self.catalogue = catalogue
        policy = catalogue.policy
        self.cache = cache
        self.presentation = presentation
        self.backingFiles = backingFiles
        self.startNanoseconds = startNanoseconds
        self.logger = logger
    }

    // MARK: Nodes

    /// The place that a node of the tree's own stands for.
    func place(_ node: NodeID) -> HubPlace? { tables.withLock { $0.places.place(node) } }

    func attributes(of place: HubPlace) -> Attributes {
        var size: UInt64 = 0
        if case .link(_, let target) = place { size = UInt64(target.utf8.count) }
        var attributes = presentation.attributes(
            inodeNumber: place.inodeNumber, kind: place.nodeKind, size: size,
            modifiedNanoseconds: startNanoseconds)
        // Nobody makes or removes accounts here.
        attributes.permissions = place.nodeKind == .symbolicLink ? 0o777 : 0o555
        return attributes
    }

    /// The root of a repo, also of one that nobody has used yet.
    func attributes(ofRootOf slot: SlotTable.Slot) -> Attributes {
        slot.fileSystem?.rootAttributes
            ?? presentation.attributes(
                inodeNumber: InodeNumbers.root(repo: slot.name.description, path: ""),
                kind: .directory, size: 0, modifiedNanoseconds: slot.listedNanoseconds)
    }

    /// The entry of a place, which the kernel holds once more.
    func entry(_ place: HubPlace) -> Entry {
        Entry(
            node: tables.withLock { $0.places.lookUp(place) }, generation: 0,
            attributes: attributes(of: place), cacheTime: CacheTime(seconds: policy.namesSeconds))
    }

    // MARK: Repos

    /// Makes a repo's own file system, or finds it.
    ///
    /// - Parameter completion: Runs once, at once or on a thread of the editors'. `.busy` when too many
    ///   are open.
    func open(
        _ name: TreeRepo, _ snapshot: RepoSnapshot,
        completion: @escaping HubCatalogue.Completion<PartNumbers>
    ) {
        let base = BaseTree(snapshot: snapshot, rootPath: "", cache: cache)
        let reading = { @Sendable [self] () -> any TreePart in
            RepoFileSystem(
                base: base, presentation: readingPresentation, backingFiles: backingFiles,
                numberedAs: name.description, logger: logger)
        }
        let known = { @Sendable [tables] in
            tables.withLock { tables in
                tables.slots.part(of: name).flatMap { tables.slots[$0]?.opened }
            }
        }
        let opened = known()
        if opened == nil, tables.withLock({ $0.slots.openCount }) >= HubTreePolicy.openCountLimit {
            return completion(.failure(.busy))
        }
        guard opened == nil, let editors else {
            let part = opened ?? OpenedPart(fileSystem: reading())
            return completion(.success(add(part, as: name, snapshot)))
        }
        editors.open(name, on: base, reading: reading, known: known) { [self] part in
            guard let part else { return completion(.failure(.cache(.closed))) }
            completion(.success(add(part, as: name, snapshot)))
        }
    }

    /// Of repos that cannot be edited in a mount that can.
    private var readingPresentation: Presentation {
        var reading = presentation
        if editors != nil { reading.umask |= 0o222 }
        return reading
    }

    private func add(
        _ opened: OpenedPart, as name: TreeRepo, _ snapshot: RepoSnapshot
    ) -> PartNumbers {
        let now = MonotonicInstant.now
        let (part, isNew) = tables.withLock { tables -> (PartNumbers, Bool) in
            let part =
                tables.slots.part(of: name)
                ?? tables.slots.add(
                    name, listedNanoseconds: snapshot.commitDateNanoseconds, now: now)
            let isNew = tables.slots.open(part, opened)
            _ = tables.slots.use(part, now: now)
            return (part, isNew)
        }
        if isNew, let edited = opened.edited, let editors {
            if let notifier = notifier.withLock({ $0 }) {
                edited.committer.observe(KernelObserver(notifier, part))
            }
            editors.opened(edited, as: name)
        }
        return part
    }

    /// Lets what changes under the kernel's eyes be told to it. Call once, before requests come.
    func begin(_ notifier: Notifier) { self.notifier.withLock { $0 = notifier } }

    /// Closes what has gone from the tables. Call after everything that can remove a slot.
    func closeRemoved() {
        guard let editors else { return }
        for slot in tables.withLock({ $0.slots.takeRemoved() }) {
            if let edited = slot.edited { editors.close(edited, as: slot.name) }
        }
    }

    /// What a request for a node of a repo finds.
    private enum Use {
        case open(any TreePart)
        case listed(TreeRepo)
        case gone
    }

    private func use(_ part: PartNumbers) -> Use {
        let slot = tables.withLock { $0.slots.use(part, now: .now) }
        guard let slot else { return .gone }
        return slot.fileSystem.map { .open($0) } ?? .listed(slot.name)
    }

    /// Runs `body` with the file system of the repo that `part` is, and a reply in its numbers. A repo
    /// that nobody has used yet is opened first: the reply is parked.
    func withRepo<Kind>(
        _ part: PartNumbers, _ reply: consuming Reply<Kind>,
        _ body: @escaping @Sendable (any TreePart, consuming Reply<Kind>) -> Void
    ) {
        let name: TreeRepo
        switch use(part) {
        case .open(let fileSystem): return body(fileSystem, reply.handed(to: part))
        case .gone: return reply.fail(.staleNFSFileHandle)
        case .listed(let found): name = found
        }
        let parked = reply.park()
        catalogue.repo(name) { [self] result in
            guard let reply = parked.take() else { return }
            switch result {
            case .failure(let error): reply.fail(error.errno)
            case .success(let resolved):
                let parked = reply.park()
                open(name, resolved.snapshot) { [self] result in
                    guard let reply = parked.take() else { return }
                    switch result {
                    case .failure(let error): reply.fail(error.errno)
                    case .success(let opened):
                        // Another part, if lookups do not find the one that was asked for any more.
                        guard opened == part, case .open(let fileSystem) = use(part) else {
                            return reply.fail(.staleNFSFileHandle)
                        }
                        body(fileSystem, reply.handed(to: part))
                    }
                }
            }
        }
    }

    /// The file system of a repo that is open: of every node but a root, and of every handle.
    func openRepo(_ part: PartNumbers) -> (any TreePart)? {
        guard case .open(let fileSystem) = use(part) else { return nil }
        return fileSystem
    }

    // MARK: The mount's own questions

    /// Inodes that hold a content of the Hub's.
    func nodes(holding content: ContentID) -> [NodeID] {
        tables.withLock { $0.slots.open }.flatMap { part, slot in
            (slot.fileSystem?.nodes(holding: content) ?? []).map { part.outside($0) }
        }
    }

    /// Closes what the kernel has not released. Call when no more requests come.
    func closeHandles() {
        for (_, slot) in tables.withLock({ $0.slots.open }) { slot.fileSystem?.closeHandles() }
    }

    /// Repos that are open, in the order of their names.
    var openRepos: [HubMount.OpenRepo] {
        tables.withLock { $0.slots.open }.compactMap { _, slot in
            guard let snapshot = slot.fileSystem?.base.snapshot else { return nil }
            return HubMount.OpenRepo(
                path: slot.name.description,
                commit: slot.edited?.committer.base ?? snapshot.commit,
                isDetached: slot.isDetached, isEdited: slot.edited != nil, obstacle: slot.obstacle)
        }.sorted { $0.path < $1.path }
    }
}
