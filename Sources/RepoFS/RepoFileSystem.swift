package import FuseBridge
import Glibc
package import HubClient
package import Logging
import Platform
import RepoCache
import SystemPackage

/// A repo at one commit as the kernel sees it; at a later one when it was moved there.
///
/// What is in memory or in the cache is answered on the thread that asked. What must be fetched
/// parks its reply; the fetch answers it. Nothing here waits on the network.
///
/// Locks: none is held together with another; `openings` while a file is registered with the
/// kernel, which waits for nothing, the others for memory operations only.
package final class RepoFileSystem: FileSystem {
    private let current: Guarded<BaseTree>
    /// Whether the mount may go to other commits. The kernel then keeps no listings: a stream that it
    /// began to serve from the one of an earlier commit would go on in that of a later one.
    let isMoving: Bool
    let presentation: Presentation
    let logger: Logger
    let inodes: Guarded<InodeTable>
    let files = Guarded(HandleTable<ReadableFile>(), rank: .handle)
    let openings = Guarded(OpeningTable(), rank: .inode)
    let backingFiles: BackingFiles?
    let directories = Guarded(HandleTable<InodeTable.Contents>(), rank: .handle)

    /// - Parameters:
    ///   - backingFiles: Lets the kernel read whole files by itself.
    ///   - name: What inode numbers are made from, where it is not the repo's own name: two commits of a
    ///     repo in one mount must not share them.
    package init(
        base: BaseTree, presentation: Presentation, backingFiles: BackingFiles? = nil,
        isMoving: Bool = false, numberedAs name: String? = nil, logger: Logger
    ) {
        self.backingFiles = backingFiles
        current = Guarded(base, rank: .leaf)
        self.isMoving = isMoving
        self.presentation = presentation
        self.logger = logger
        let number = InodeNumbers.root(
            repo: name ?? base.snapshot.repo.description, path: base.rootPath)
        inodes = Guarded(
            InodeTable(rootInodeNumber: number, snapshot: base.snapshot), rank: .inodeTable)
    }

    /// The commit that is shown.
    package var base: BaseTree { current.withLock { $0 } }

    /// The commit that an inode is of: that which is shown, or an earlier one.
    func tree(at snapshot: RepoSnapshot) -> BaseTree {
        let base = base
        return base.snapshot.commit == snapshot.commit ? base : base.at(snapshot)
    }

    /// Shows another commit, as `InodeTable.move`.
    func move(
        to next: BaseTree, root: DirectoryListing, listings: [TreeOID: DirectoryListing]
    ) -> InodeTable.Move {
        precondition(isMoving, "the kernel keeps listings of the one commit")
        let move = inodes.withLock {
            $0.move(to: next.snapshot, root: root, listings: listings)
        }
        guard case .done(let stale) = move else { return move }
        let bytes = Int64(clamping: base.knownBytes).addingReportingOverflow(stale.addedBytes)
        next.setTreeBytes(UInt64(clamping: bytes.partialValue))
        current.withLock { $0 = next }
        return move
    }

    package func forget(_ node: NodeID, count: UInt64) {
        inodes.withLock { $0.forget(node, count: count) }
    }

    package func attributes(
        of node: NodeID, _ reply: consuming Reply<RequestKind.Attributes>
    ) {
        guard let known = inodes.withLock({ $0.node(node) }) else {
            return reply.fail(.staleNFSFileHandle)
        }
        reply.attributes(attributes(of: known), .forever)
    }

    package func readLink(_ node: NodeID, _ reply: consuming Reply<RequestKind.Link>) {
        // The Hub's listings know files and directories only.
        reply.fail(.invalidArgument)
    }

    package func statistics(_ reply: consuming Reply<RequestKind.Statistics>) {
        // Never zero: installers refuse a file system that has no size.
        let blockBytes: UInt64 = 4096
        let blocks = (base.knownBytes + blockBytes - 1) / blockBytes
        reply.statistics(
            FileSystemStatistics(
                blockBytes: blockBytes, blockCount: max(blocks, 1), freeBlockCount: 0,
                fileCount: UInt64(max(inodes.withLock { $0.count }, 1))))
    }

    /// Of the mounted directory.
    var rootAttributes: Attributes? {
        inodes.withLock { $0.node(.root) }.map { attributes(of: $0) }
    }

    /// The inodes that hold `content`, to invalidate what the kernel keeps of them.
    package func nodes(holding content: ContentID) -> [NodeID] {
        inodes.withLock { $0.nodes(holding: content) }
    }

    func attributes(of node: InodeTable.Node) -> Attributes {
        let size: UInt64
        let kind: NodeKind
        switch node.kind {
        case .file(_, let bytes): (kind, size) = (.file, bytes)
        case .directory: (kind, size) = (.directory, 0)
        }
        return presentation.attributes(
            inodeNumber: node.inodeNumber, kind: kind, size: size,
            modifiedNanoseconds: node.modifiedNanoseconds)
    }

    func entry(_ node: InodeTable.Node) -> Entry {
        Entry(
            node: node.id, generation: node.generation, attributes: attributes(of: node),
            cacheTime: .forever)
    }
}
