package import FuseBridge
import Glibc
package import HubClient
package import Logging
import Platform
import RepoCache
import SystemPackage

/// A repo at one commit as the kernel sees it.
///
/// What is in memory or in the cache is answered on the thread that asked. What must be fetched
/// parks its reply; the fetch answers it. Nothing here waits on the network.
///
/// Locks: `inodes` and `files` are held for memory operations only, never together.
package final class RepoFileSystem: FileSystem {
    let base: BaseTree
    let presentation: Presentation
    let logger: Logger
    let inodes: Guarded<InodeTable>
    let files = Guarded(HandleTable<OpenContent>(), rank: .handle)
    let directories = Guarded(HandleTable<DirectoryListing>(), rank: .handle)

    package init(base: BaseTree, presentation: Presentation, logger: Logger) {
        self.base = base
        self.presentation = presentation
        self.logger = logger
        let number = InodeNumbers.root(
            repo: base.snapshot.repo.description, path: base.rootPath)
        inodes = Guarded(InodeTable(rootInodeNumber: number), rank: .inodeTable)
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

    /// The inodes that hold `content`, to invalidate what the kernel keeps of them.
    package func nodes(holding content: ContentID) -> [NodeID] {
        inodes.withLock { $0.nodes(holding: content) }
    }

    /// Closes what the kernel has not released. Call when no more requests come.
    package func closeHandles() {
        for content in files.withLock({ $0.removeAll() }) { content.close() }
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
            modifiedNanoseconds: base.snapshot.commitDateNanoseconds)
    }

    func entry(_ node: InodeTable.Node) -> Entry {
        Entry(
            node: node.id, generation: node.generation, attributes: attributes(of: node),
            cacheTime: .forever)
    }
}
