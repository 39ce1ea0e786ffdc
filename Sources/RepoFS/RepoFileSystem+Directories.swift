package import FuseBridge
import HubClient
import Platform
import RepoCache
import SystemPackage

extension RepoFileSystem {
    package func lookup(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Lookup>
    ) {
        guard let node = inodes.withLock({ $0.node(parent) }) else {
            return reply.fail(.staleNFSFileHandle)
        }
        guard case .directory(let tree) = node.kind else { return reply.fail(.notDirectory) }
        if let listing = listingAtHand(of: node, tree) {
            return answer(reply, name: name, in: parent, listing)
        }
        let parked = reply.park()
        fetchListing(of: node, tree) { [self] result in
            guard let reply = parked.take() else { return }
            switch result {
            case .success(let listing): answer(reply, name: name, in: parent, listing)
            case .failure(let error): reply.fail(error.errno)
            }
        }
    }

    package func openDirectory(
        _ node: NodeID, _ reply: consuming Reply<RequestKind.OpenDirectory>
    ) {
        guard let known = inodes.withLock({ $0.node(node) }) else {
            return reply.fail(.staleNFSFileHandle)
        }
        guard case .directory(let tree) = known.kind else { return reply.fail(.notDirectory) }
        if let listing = listingAtHand(of: known, tree) {
            return reply.opened(insertDirectory(listing), keepsCache: true)
        }
        let parked = reply.park()
        fetchListing(of: known, tree) { [self] result in
            guard let reply = parked.take() else { return }
            switch result {
            case .success(let listing): reply.opened(insertDirectory(listing), keepsCache: true)
            case .failure(let error): reply.fail(error.errno)
            }
        }
    }

    package func readDirectory(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, into buffer: consuming DirectoryBuffer,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        let listing = directories.withLock { $0[handle] }
        guard let listing, let known = inodes.withLock({ $0.node(node) }) else {
            return reply.fail(.badFileDescriptor)
        }
        var next = offset
        while next < UInt64(listing.count) + Self.dotCount {
            let fits =
                next < Self.dotCount
                ? addDot(number: next, of: known, to: &buffer)
                : add(index: Int(next - Self.dotCount), of: listing, in: node, to: &buffer)
            guard fits else { break }
            next += 1
        }
        reply.bytes(buffer.bytes)
    }

    package func releaseDirectory(_ handle: HandleID) {
        _ = directories.withLock { $0.remove(handle) }
    }

    /// `.` and `..` come first, as offsets 0 and 1; the entry at index i is offset i + 2.
    private static let dotCount: UInt64 = 2
    private static let dot: [CChar] = [46, 0]
    private static let dotDot: [CChar] = [46, 46, 0]

    private func addDot(
        number: UInt64, of node: InodeTable.Node, to buffer: inout DirectoryBuffer
    ) -> Bool {
        let parent = inodes.withLock { $0.parentInodeNumber(of: node.id) }
        return number == 0
            ? buffer.addDot(Self.dot, inodeNumber: node.inodeNumber, nextOffset: 1)
            : buffer.addDot(Self.dotDot, inodeNumber: parent, nextOffset: 2)
    }

    /// - Returns: false when the entry does not fit; its lookup count is then unchanged.
    private func add(
        index: Int, of listing: DirectoryListing, in parent: NodeID,
        to buffer: inout DirectoryBuffer
    ) -> Bool {
        let name = listing.withName(at: index) { $0.map { CChar(bitPattern: $0) } + [0] }
        let nextOffset = UInt64(index) + Self.dotCount + 1
        if buffer.carriesEntries {
            guard let child = inodes.withLock({ $0.lookUp(index: index, in: parent) }) else {
                return false
            }
            if buffer.add(name, entry(child), nextOffset: nextOffset) { return true }
            forget(child.id, count: 1)
            return false
        }
        let (number, kind) = inodes.withLock { inodes in
            (inodes.inodeNumber(index: index, in: parent, listing), listing.kind(at: index))
        }
        return buffer.add(name, inodeNumber: number, kind: kind.nodeKind, nextOffset: nextOffset)
    }

    private func answer(
        _ reply: consuming Reply<RequestKind.Lookup>, name: FileName, in parent: NodeID,
        _ listing: DirectoryListing
    ) {
        guard let index = name.bytes.withUnsafeBytes({ listing.index(ofName: $0) }) else {
            return reply.absent(.forever)
        }
        guard let child = inodes.withLock({ $0.lookUp(index: index, in: parent) }) else {
            return reply.fail(.staleNFSFileHandle)
        }
        reply.entry(entry(child))
    }

    private func insertDirectory(_ listing: DirectoryListing) -> HandleID {
        directories.withLock { $0.insert(listing) }
    }

    /// The listing if it is in memory, remembered with the inode.
    private func listingAtHand(of node: InodeTable.Node, _ tree: TreeOID?) -> DirectoryListing? {
        if let listing = node.listing { return listing }
        let path = inodes.withLock { $0.path(of: node.id) }
        guard let listing = base.cachedListing(path: path, tree: tree) else { return nil }
        return inodes.withLock { $0.setListing(listing, of: node.id) }
    }

    /// Brings the listing from the cache's database or the Hub, and remembers it with the inode.
    private func fetchListing(
        of node: InodeTable.Node, _ tree: TreeOID?,
        completion: @escaping @Sendable (Result<DirectoryListing, CacheError>) -> Void
    ) {
        let path = inodes.withLock { $0.path(of: node.id) }
        base.listing(path: path, tree: tree) { [self] result in
            completion(
                result.map { listing in
                    inodes.withLock { $0.setListing(listing, of: node.id) } ?? listing
                })
        }
    }
}

extension TreeEntry.Kind {
    var nodeKind: NodeKind {
        switch self {
        case .directory: .directory
        case .file: .file
        }
    }
}
