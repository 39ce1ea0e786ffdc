import FuseBridge
import Glibc
import Platform
import SystemPackage

extension HubTreeFileSystem {
    func forget(_ node: NodeID, count: UInt64) {
        let part = PartNumbers(of: node)
        if part == .whole {
            return tables.withLock { $0.places.forget(node, count: count) }
        }
        let inside = PartNumbers.inside(node)
        if inside != .root {
            // Not below the lock of all repos: one that is edited may be writing to its journal.
            let fileSystem = tables.withLock { $0.slots[part]?.fileSystem }
            fileSystem?.forget(inside, count: count)
        }
        tables.withLock { $0.slots.forgot(part, rootCount: inside == .root ? count : 0) }
        closeRemoved()
    }

    func attributes(
        of node: NodeID, _ reply: consuming Reply<RequestKind.Attributes>
    ) {
        let part = PartNumbers(of: node)
        if part == .whole {
            guard let place = place(node) else { return reply.fail(.staleNFSFileHandle) }
            return reply.attributes(attributes(of: place), .forever)
        }
        let slot = tables.withLock { $0.slots[part] }
        guard let slot else { return reply.fail(.staleNFSFileHandle) }
        guard let fileSystem = slot.fileSystem else {
            // Only the root of such a repo is known.
            return reply.attributes(
                attributes(ofRootOf: slot), CacheTime(seconds: policy.namesSeconds))
        }
        fileSystem.attributes(of: PartNumbers.inside(node), reply.handed(to: part))
    }

    func open(
        _ node: NodeID, flags: Int32, _ reply: consuming Reply<RequestKind.Open>
    ) {
        let part = PartNumbers(of: node)
        if part == .whole { return reply.fail(.isDirectory) }
        let changes = flags & O_ACCMODE != O_RDONLY || flags & O_TRUNC != 0
        withRepo(part, reply) { fileSystem, reply in
            // Where nothing can be edited the kernel has said so before.
            if changes, !fileSystem.isAlone { return reply.fail(.readOnlyFileSystem) }
            fileSystem.open(PartNumbers.inside(node), flags: flags, reply)
        }
    }

    func read(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, count: Int,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        let part = PartNumbers(of: node)
        guard let fileSystem = openRepo(part) else { return reply.fail(.badFileDescriptor) }
        fileSystem.read(
            PartNumbers.inside(node), PartNumbers.inside(handle), offset: offset, count: count,
            reply.handed(to: part))
    }

    func release(_ handle: HandleID) {
        openRepo(PartNumbers(of: handle))?.release(PartNumbers.inside(handle))
    }

    func seek(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, to target: SeekTarget,
        _ reply: consuming Reply<RequestKind.Seek>
    ) {
        let part = PartNumbers(of: node)
        guard let fileSystem = openRepo(part) else { return reply.fail(.badFileDescriptor) }
        fileSystem.seek(
            PartNumbers.inside(node), PartNumbers.inside(handle), offset: offset, to: target,
            reply.handed(to: part))
    }

    func readLink(_ node: NodeID, _ reply: consuming Reply<RequestKind.Link>) {
        let part = PartNumbers(of: node)
        // Repos have none but those that were made here.
        if part != .whole {
            return withRepo(part, reply) { fileSystem, reply in
                fileSystem.readLink(PartNumbers.inside(node), reply)
            }
        }
        guard case .link(_, let target)? = place(node) else {
            return reply.fail(.invalidArgument)
        }
        reply.link(FileName(target))
    }

    /// The repos that are open, together; with the room for edits, where there can be some.
    func statistics(_ reply: consuming Reply<RequestKind.Statistics>) {
        let (open, count) = tables.withLock { tables in
            (tables.slots.open, tables.slots.count + tables.places.count)
        }
        let bytes = open.reduce(UInt64(0)) { $0 + ($1.slot.fileSystem?.base.knownBytes ?? 0) }
        let blockBytes: UInt64 = 4096
        let room = editors?.room ?? (totalBytes: 0, availableBytes: 0)
        // Never zero: installers refuse a file system that has no size.
        reply.statistics(
            FileSystemStatistics(
                blockBytes: blockBytes, blockCount: max(bytes, room.totalBytes) / blockBytes + 1,
                freeBlockCount: room.availableBytes / blockBytes, fileCount: UInt64(count)))
    }

    func extendedAttribute(
        _ name: FileName, of node: NodeID, capacity: Int,
        _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        // Before a repo is opened for it: `ls -l` asks for the label of every name it shows.
        guard name.isUserAttribute else { return reply.fail(.notSupported) }
        let part = PartNumbers(of: node)
        if part == .whole { return reply.fail(.noData) }
        withRepo(part, reply) { fileSystem, reply in
            fileSystem.extendedAttribute(
                name, of: PartNumbers.inside(node), capacity: capacity, reply)
        }
    }

    func extendedAttributeNames(
        of node: NodeID, capacity: Int, _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        let part = PartNumbers(of: node)
        if part == .whole { return reply.value([], capacity: capacity) }
        if let slot = tables.withLock({ $0.slots[part] }), slot.fileSystem == nil {
            // What the root will have: `ls -l` asks every name it shows for all its attributes.
            return reply.value(Array(HubAttribute.commit.rawValue.utf8) + [0], capacity: capacity)
        }
        withRepo(part, reply) { fileSystem, reply in
            fileSystem.extendedAttributeNames(
                of: PartNumbers.inside(node), capacity: capacity, reply)
        }
    }
}
