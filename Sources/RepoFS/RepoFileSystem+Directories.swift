package import FuseBridge
import HubClient
import Platform
import RepoCache
import SystemPackage

extension RepoFileSystem {
    package func lookup(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Lookup>
    ) {
        let found = inodes.withLock { $0.lookUp(name, in: parent) }
        if case .unlisted = found {
            if contentsAtHand(of: parent) != nil { return lookup(name, in: parent, reply) }
            let parked = reply.park()
            return fetchContents(of: parent) { [self] result in
                guard let reply = parked.take() else { return }
                switch result {
                case .success: answer(reply, inodes.withLock { $0.lookUp(name, in: parent) })
                case .failure(let error): reply.fail(error.errno)
                }
            }
        }
        answer(reply, found)
    }

    package func openDirectory(
        _ node: NodeID, _ reply: consuming Reply<RequestKind.OpenDirectory>
    ) {
        guard let known = inodes.withLock({ $0.node(node) }) else {
            return reply.fail(.staleNFSFileHandle)
        }
        guard case .directory = known.kind else { return reply.fail(.notDirectory) }
        if let contents = contentsAtHand(of: node) { return open(contents, reply) }
        let parked = reply.park()
        fetchContents(of: node) { [self] result in
            guard let reply = parked.take() else { return }
            switch result {
            case .success(let contents): open(contents, reply)
            case .failure(let error): reply.fail(error.errno)
            }
        }
    }

    package func readDirectory(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, into buffer: consuming DirectoryBuffer,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        guard let contents = contents(of: node, handle, offset: offset),
            let known = inodes.withLock({ $0.node(node) })
        else {
            return reply.fail(.badFileDescriptor)
        }
        var next = offset
        while next < UInt64(contents.listing.count) + Self.dotCount {
            let fits =
                next < Self.dotCount
                ? addDot(number: next, of: known, to: &buffer)
                : add(index: Int(next - Self.dotCount), of: contents, in: node, to: &buffer)
            guard fits else { break }
            next += 1
        }
        reply.entries(buffer.bytes)
    }

    /// What a stream goes on in. One that begins, or begins anew, shows the commit of that moment.
    private func contents(
        of node: NodeID, _ handle: HandleID, offset: UInt64
    ) -> InodeTable.Contents? {
        let opened = directories.withLock { $0[handle] }
        guard isMoving, offset == 0, let opened,
            let present = inodes.withLock({ $0.contents(of: node) }),
            present.version != opened.version
        else { return opened }
        directories.withLock { $0.replace(present, at: handle) }
        return present
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
        index: Int, of contents: InodeTable.Contents, in parent: NodeID,
        to buffer: inout DirectoryBuffer
    ) -> Bool {
        let listing = contents.listing
        let name = listing.withName(at: index) { $0.map { CChar(bitPattern: $0) } + [0] }
        let nextOffset = UInt64(index) + Self.dotCount + 1
        // Of an earlier commit there are names alone: what they stand for is that of this one.
        if buffer.carriesEntries,
            let child = inodes.withLock({
                $0.lookUp(index: index, in: parent, version: contents.version)
            })
        {
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
        _ reply: consuming Reply<RequestKind.Lookup>, _ found: InodeTable.Found
    ) {
        switch found {
        case .node(let child): reply.entry(entry(child))
        case .absent: reply.absent(.forever)
        case .notDirectory: reply.fail(.notDirectory)
        case .unlisted, .unknownNode: reply.fail(.staleNFSFileHandle)
        }
    }

    private func open(
        _ contents: InodeTable.Contents, _ reply: consuming Reply<RequestKind.OpenDirectory>
    ) {
        reply.opened(directories.withLock { $0.insert(contents) }, keepsCache: !isMoving)
    }

    /// What the listing of a directory has to be asked for with.
    private struct Question {
        let place: InodeTable.Place
        let tree: TreeOID?
    }

    private func question(for node: NodeID) -> Question? {
        inodes.withLock { inodes in
            guard case .directory(let tree)? = inodes.node(node)?.kind else { return nil }
            return Question(place: inodes.place(of: node), tree: tree)
        }
    }

    /// What a directory holds if its listing is in memory, remembered with the inode.
    private func contentsAtHand(of node: NodeID) -> InodeTable.Contents? {
        if let contents = inodes.withLock({ $0.contents(of: node) }) { return contents }
        guard let question = question(for: node),
            let listing = tree(at: question.place.snapshot).cachedListing(
                path: question.place.path, tree: question.tree)
        else { return nil }
        guard case .contents(let contents) = accept(listing, of: node, question) else { return nil }
        return contents
    }

    private func accept(
        _ listing: DirectoryListing, of node: NodeID, _ question: Question
    ) -> InodeTable.Acceptance {
        inodes.withLock {
            $0.setListing(
                listing, of: node, tree: question.tree, at: question.place.snapshot.commit)
        }
    }

    /// Brings the listing from the cache's database or the Hub, and remembers it with the inode.
    /// When the mount goes to another commit meanwhile, that commit's.
    private func fetchContents(
        of node: NodeID,
        completion: @escaping @Sendable (Result<InodeTable.Contents, CacheError>) -> Void
    ) {
        guard let question = question(for: node) else { return completion(.failure(.closed)) }
        let base = tree(at: question.place.snapshot)
        base.listing(path: question.place.path, tree: question.tree) { [self] result in
            switch result {
            case .success(let listing):
                switch accept(listing, of: node, question) {
                case .contents(let contents): completion(.success(contents))
                case .outdated: fetchContents(of: node, completion: completion)
                case .unknownNode: completion(.failure(.closed))
                }
            case .failure(let error):
                let commit = inodes.withLock { $0.place(of: node).snapshot.commit }
                if commit == base.snapshot.commit { return completion(.failure(error)) }
                fetchContents(of: node, completion: completion)
            }
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
