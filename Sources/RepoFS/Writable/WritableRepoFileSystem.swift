package import FuseBridge
import Glibc
package import HubClient
package import Logging
import Platform
import RepoCache
import SystemPackage
package import WriteBack

/// A repo that can be edited, as the kernel sees it: the overlay above the base.
///
/// What is in memory, in the cache or staged is answered on the thread that asked. What must be
/// fetched parks its reply. Nothing here waits on the network.
package final class WritableRepoFileSystem: WritableFileSystem {
    let overlay: Overlay
    let workspace: Workspace
    let presentation: Presentation
    let logger: Logger
    private let bases: BaseTrees
    /// What was not changed since the mount began keeps this time, whatever commits are made.
    private let unchangedNanoseconds: Int64
    /// What fsync(2) waits for beyond the disk; nil as a rule.
    let publishOnSync = Guarded<
        (@Sendable (_ completion: @escaping @Sendable (Bool) -> Void) -> Void)?
    >(nil, rank: .leaf)
    let files = Guarded(HandleTable<OpenFile>(), rank: .handle)
    let directories = Guarded(HandleTable<DirectoryStream>(), rank: .handle)

    /// One opendir: a snapshot that is taken when reading starts.
    final class DirectoryStream: Sendable {
        let snapshot = Guarded<DirectorySnapshot?>(nil, rank: .leaf)
    }

    package init(
        workspace: Workspace, bases: BaseTrees, presentation: Presentation, logger: Logger
    ) {
        self.workspace = workspace
        overlay = workspace.overlay
        self.bases = bases
        unchangedNanoseconds =
            bases.tree(at: workspace.overlay.baseCommit)?.snapshot.commitDateNanoseconds ?? 0
        self.presentation = presentation
        self.logger = logger
    }

    /// The base the tree stands on now.
    ///
    /// Invariant: every commit the overlay stands on was prepared before.
    package var base: BaseTree { bases.tree(at: overlay.baseCommit)! }

    package func forget(_ node: NodeID, count: UInt64) {
        overlay.forget(node.overlay, count: count)
    }

    package func attributes(
        of node: NodeID, _ reply: consuming Reply<RequestKind.Attributes>
    ) {
        guard let view = overlay.view(node.overlay) else {
            return reply.fail(.staleNFSFileHandle)
        }
        reply.attributes(attributes(of: view), cacheTime(of: view))
    }

    package func readLink(_ node: NodeID, _ reply: consuming Reply<RequestKind.Link>) {
        guard let view = overlay.view(node.overlay) else {
            return reply.fail(.staleNFSFileHandle)
        }
        guard case .link(let target) = view.kind else { return reply.fail(.invalidArgument) }
        reply.link(FileName(bytes: target))
    }

    /// The room there is for edits: what the disk of the workspace has above the floor.
    package func statistics(_ reply: consuming Reply<RequestKind.Statistics>) {
        let blockBytes: UInt64 = 4096
        let room = workspace.room
        reply.statistics(
            FileSystemStatistics(
                blockBytes: blockBytes, blockCount: max(room.totalBytes / blockBytes, 1),
                freeBlockCount: room.availableBytes / blockBytes,
                fileCount: UInt64(max(overlay.nodeCount, 1))))
    }

    /// Never called for a path that was edited: those pages are not the Hub's.
    package func nodes(holding content: ContentID) -> [NodeID] {
        overlay.nodes(holding: content).map { NodeID($0.value) }
    }

    /// Closes what the kernel has not released. Call when no more requests come.
    package func closeHandles() {
        for file in files.withLock({ $0.removeAll() }) { close(file) }
    }

    func close(_ open: OpenFile) {
        open.closeContents()
        overlay.close(open.file, wasForWriting: open.isForWriting)
    }

    func attributes(of view: NodeView) -> Attributes {
        let kind: NodeKind
        let size: UInt64
        switch view.kind {
        case .file(let file): (kind, size) = (.file, file.size)
        case .directory: (kind, size) = (.directory, 0)
        case .link(let target): (kind, size) = (.symbolicLink, UInt64(target.count))
        }
        var attributes = presentation.attributes(
            inodeNumber: view.inodeNumber, kind: kind, size: size,
            modifiedNanoseconds: view.modifiedNanoseconds ?? unchangedNanoseconds)
        if kind == .symbolicLink { attributes.permissions = 0o777 }
        if let permissions = view.metadata.permissions { attributes.permissions = permissions }
        if let uid = view.metadata.uid { attributes.uid = uid }
        if let gid = view.metadata.gid { attributes.gid = gid }
        attributes.linkCount = UInt64(view.linkCount)
        return attributes
    }

    /// Only this mount changes its tree, and the kernel knows what it has changed itself.
    func cacheTime(of view: NodeView) -> CacheTime {
        view.linkCount == 0 ? CacheTime(seconds: 0) : .forever
    }

    func entry(_ view: NodeView) -> Entry {
        Entry(
            node: NodeID(view.number.value), generation: 0, attributes: attributes(of: view),
            cacheTime: .forever)
    }

    /// Runs an operation of the overlay and answers. When it must know a directory of the base, the
    /// reply is parked, the listing fetched, and the operation run again.
    func attempt<Kind, Value>(
        _ reply: consuming Reply<Kind>,
        _ operation: @escaping @Sendable () throws(WriteBackError) -> Value,
        answer: @escaping @Sendable (consuming Reply<Kind>, Value) -> Void
    ) {
        do throws(WriteBackError) {
            answer(reply, try operation())
        } catch .listingNeeded(let number, let lower) {
            fetchListing(
                of: number, lower, for: reply.park(), triesLeft: Self.listingCountMax,
                operation, answer: answer)
        } catch {
            fail(reply, error)
        }
    }

    /// Listings one operation can need: two for a rename, one more to find a directory empty, and
    /// each once again if the base moves meanwhile.
    private static let listingCountMax = 8

    private func fetchListing<Kind, Value>(
        of number: NodeNumber, _ lower: LowerDirectory, for parked: ParkedReply<Kind>,
        triesLeft: Int,
        _ operation: @escaping @Sendable () throws(WriteBackError) -> Value,
        answer: @escaping @Sendable (consuming Reply<Kind>, Value) -> Void
    ) {
        let directory = lower.directory(on: overlay.baseCommit)!
        bases.listing(of: directory) { [self] result in
            switch result {
            case .failure(let error):
                logger.error("\(lower) cannot be listed: \(error)")
                parked.fail(error.errno)
            case .success(let listing):
                overlay.setListing(listing, of: number, directory)
                do throws(WriteBackError) {
                    let value = try operation()
                    if let reply = parked.take() { answer(reply, value) }
                } catch .listingNeeded(let number, let lower) where triesLeft > 0 {
                    fetchListing(
                        of: number, lower, for: parked, triesLeft: triesLeft - 1, operation,
                        answer: answer)
                } catch {
                    if let reply = parked.take() { fail(reply, error) }
                }
            }
        }
    }

    func fail<Kind>(_ reply: consuming Reply<Kind>, _ error: WriteBackError) {
        switch error {
        case .refused: break
        default: logger.error("an edit failed: \(error)")
        }
        reply.fail(error.errno)
    }
}

extension NodeID {
    var overlay: NodeNumber { NodeNumber(number) }
}

extension FileName {
    var entry: EntryName { EntryName(bytes) }
}
