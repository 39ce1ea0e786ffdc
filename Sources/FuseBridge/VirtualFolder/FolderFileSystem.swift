import Glibc
import SystemPackage

/// A file system with a virtual folder in its root. What is not about the folder is passed on.
class FolderFileSystem: FileSystem, @unchecked Sendable {
    // `@unchecked Sendable`: it has a subclass, and nothing in either of them can change.
    private let below: any FileSystem
    let state: VirtualFolderState
    let lookups: FolderLookupChannel

    init(_ folder: VirtualFolder, over below: any FileSystem, _ channel: any ReplyChannel) {
        self.below = below
        state = VirtualFolderState(folder)
        lookups = FolderLookupChannel(channel, state)
    }

    func isFolder(_ name: FileName, in parent: NodeID) -> Bool {
        parent == .root && name == state.folder.name
    }

    func lookup(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Lookup>
    ) {
        if isFolder(name, in: parent) {
            return below.lookup(name, in: parent, reply.redirected(to: lookups))
        }
        switch VirtualNode(parent) {
        case nil: below.lookup(name, in: parent, reply)
        case .file: reply.fail(.notDirectory)
        case .folder:
            guard let index = state.folder.files.firstIndex(where: { $0.name == name }) else {
                return reply.absent(.forever)
            }
            reply.entry(state.entry(.file(index: index)))
        }
    }

    func forget(_ node: NodeID, count: UInt64) {
        if VirtualNode(node) == nil { below.forget(node, count: count) }
    }

    func attributes(of node: NodeID, _ reply: consuming Reply<RequestKind.Attributes>) {
        guard let own = VirtualNode(node) else { return below.attributes(of: node, reply) }
        reply.attributes(state.attributes(of: own), CacheTime(seconds: 0))
    }

    func open(_ node: NodeID, flags: Int32, _ reply: consuming Reply<RequestKind.Open>) {
        switch VirtualNode(node) {
        case nil: below.open(node, flags: flags, reply)
        case .folder: reply.fail(.isDirectory)
        case .file(let index):
            guard flags & O_ACCMODE == O_RDONLY, flags & O_TRUNC == 0 else {
                return reply.fail(.readOnlyFileSystem)
            }
            state.open(index, reply)
        }
    }

    func read(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, count: Int,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        guard VirtualNode(node) != nil else {
            return below.read(node, handle, offset: offset, count: count, reply)
        }
        state.read(handle, offset: offset, count: count, reply)
    }

    func release(_ handle: HandleID) {
        if VirtualNode.owns(handle) { state.release(handle) } else { below.release(handle) }
    }

    func openDirectory(_ node: NodeID, _ reply: consuming Reply<RequestKind.OpenDirectory>) {
        switch VirtualNode(node) {
        case nil: below.openDirectory(node, reply)
        case .file: reply.fail(.notDirectory)
        case .folder: reply.opened(VirtualNode.handle(0), keepsCache: false)
        }
    }

    func readDirectory(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, into buffer: consuming DirectoryBuffer,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        guard VirtualNode(node) != nil else {
            return below.readDirectory(node, handle, offset: offset, into: buffer, reply)
        }
        state.list(from: offset, into: buffer, reply)
    }

    func releaseDirectory(_ handle: HandleID) {
        if !VirtualNode.owns(handle) { below.releaseDirectory(handle) }
    }

    func readLink(_ node: NodeID, _ reply: consuming Reply<RequestKind.Link>) {
        guard VirtualNode(node) == nil else { return reply.fail(.invalidArgument) }
        below.readLink(node, reply)
    }

    func statistics(_ reply: consuming Reply<RequestKind.Statistics>) { below.statistics(reply) }

    func extendedAttribute(
        _ name: FileName, of node: NodeID, capacity: Int,
        _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        guard VirtualNode(node) == nil else { return reply.fail(.noData) }
        below.extendedAttribute(name, of: node, capacity: capacity, reply)
    }

    func extendedAttributeNames(
        of node: NodeID, capacity: Int, _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        guard VirtualNode(node) == nil else { return reply.value([], capacity: capacity) }
        below.extendedAttributeNames(of: node, capacity: capacity, reply)
    }

    func seek(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, to target: SeekTarget,
        _ reply: consuming Reply<RequestKind.Seek>
    ) {
        guard VirtualNode(node) == nil else { return reply.fail(.invalidArgument) }
        below.seek(node, handle, offset: offset, to: target, reply)
    }
}
