package import FuseBridge
import Glibc
import HubClient
import Logging
import Platform
import RepoCache
import SystemPackage

extension RepoFileSystem {
    package func read(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, count: Int,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        let count = min(count, ThreadBuffer.byteCount)
        let content: OpenContent
        switch source(of: handle) {
        case .content(let found): content = found
        case .backing(let found):
            // The kernel reads such a file by itself. What it asks for here is readahead(2) or
            // posix_fadvise(2) into the pages of the mount, which nobody would read: the wish is
            // passed on to the file that is read.
            found.readAhead(offset: offset, count: count)
            return reply.fail(.ioError)
        case .failure(let error): return reply.fail(error)
        }
        var reply = Optional(reply)
        ThreadBuffer.withBytes(count: count) { buffer in
            guard let read = content.readPresent(into: buffer, at: offset) else { return }
            reply.take()!.bytes(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
        }
        guard let reply = reply.take() else { return }
        park(reply.park(), content: content, offset: offset, count: count, triesLeft: 3)
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
