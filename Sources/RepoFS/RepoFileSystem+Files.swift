package import FuseBridge
import Glibc
import HubClient
import Logging
import Platform
import RepoCache
import SystemPackage

extension RepoFileSystem {
    package func open(
        _ node: NodeID, flags: Int32, _ reply: consuming Reply<RequestKind.Open>
    ) {
        guard flags & O_ACCMODE == O_RDONLY, flags & O_TRUNC == 0 else {
            return reply.fail(.readOnlyFileSystem)
        }
        let found = inodes.withLock { inodes in
            inodes.node(node).map { (node: $0, path: inodes.path(of: node)) }
        }
        guard let found else { return reply.fail(.staleNFSFileHandle) }
        guard case .file(let content, let size) = found.node.kind else {
            return reply.fail(.isDirectory)
        }
        do throws(CacheError) {
            let opened = try base.open(path: found.path, content: content, size: size)
            reply.opened(files.withLock { $0.insert(opened) }, keepsCache: true)
        } catch {
            logger.error("\(found.path) cannot be opened: \(error)")
            reply.fail(error.errno)
        }
    }

    package func read(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, count: Int,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        guard let content = files.withLock({ $0[handle] }) else {
            return reply.fail(.badFileDescriptor)
        }
        let count = min(count, ThreadBuffer.byteCount)
        var reply = Optional(reply)
        ThreadBuffer.withBytes(count: count) { buffer in
            guard let read = content.readPresent(into: buffer, at: offset) else { return }
            reply.take()!.bytes(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
        }
        guard let reply = reply.take() else { return }
        park(reply.park(), content: content, offset: offset, count: count, triesLeft: 3)
    }

    package func release(_ handle: HandleID) {
        files.withLock { $0.remove(handle) }?.close()
    }

    package func seek(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, to target: SeekTarget,
        _ reply: consuming Reply<RequestKind.Seek>
    ) {
        guard let known = inodes.withLock({ $0.node(node) }),
            case .file(_, let size) = known.kind
        else { return reply.fail(.badFileDescriptor) }
        // Repo files have no holes: a part that is not downloaded yet is data all the same, or
        // cp --sparse would copy it as zeros.
        guard offset < size else { return reply.fail(.noSuchAddressOrDevice) }
        switch target {
        case .data: reply.offset(offset)
        case .hole: reply.offset(size)
        }
    }

    /// Answers when the range is present. Blocks can be evicted between the fetch and the read
    /// when the cache is full, so it is tried a few times.
    private func park(
        _ parked: ParkedReply<RequestKind.Data>, content: OpenContent, offset: UInt64, count: Int,
        triesLeft: Int
    ) {
        let ticket = content.read(offset: offset, count: count) { [self] result in
            if case .failure(let error) = result {
                return fail(parked, error, content: content, offset: offset)
            }
            var isPresent = false
            ThreadBuffer.withBytes(count: count) { buffer in
                guard let read = content.readPresent(into: buffer, at: offset) else { return }
                isPresent = true
                guard let reply = parked.take() else { return }
                reply.bytes(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
            }
            if isPresent { return }
            guard triesLeft > 0 else { return parked.fail(.ioError) }
            park(
                parked, content: content, offset: offset, count: count, triesLeft: triesLeft - 1)
        }
        if let ticket { parked.onInterrupt { ticket.cancel() } }
    }

    private func fail(
        _ parked: ParkedReply<RequestKind.Data>, _ error: CacheError, content: OpenContent,
        offset: UInt64
    ) {
        guard let reply = parked.take() else { return }
        logger.error("\(content.location.path) at offset \(offset) cannot be read: \(error)")
        reply.fail(error.errno)
    }
}
