import Glibc
import SystemPackage

/// The same on a mount that may be written to: the folder alone may not.
final class WritableFolderFileSystem: FolderFileSystem, WritableFileSystem, @unchecked Sendable {
    private let below: any WritableFileSystem

    init(_ folder: VirtualFolder, over below: any WritableFileSystem, _ channel: any ReplyChannel) {
        self.below = below
        super.init(folder, over: below, channel)
    }

    /// Whether a change of a name is one in the folder, or one of the folder itself.
    private func isFixed(_ name: FileName, in parent: NodeID) -> Bool {
        VirtualNode(parent) != nil || (isFolder(name, in: parent) && lookups.isFolderShown)
    }

    func create(
        _ name: FileName, in parent: NodeID, permissions: mode_t, flags: Int32, caller: Caller,
        _ reply: consuming Reply<RequestKind.Create>
    ) {
        guard !isFixed(name, in: parent) else { return reply.fail(.readOnlyFileSystem) }
        below.create(
            name, in: parent, permissions: permissions, flags: flags, caller: caller, reply)
    }

    func makeNode(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        guard !isFixed(name, in: parent) else { return reply.fail(.readOnlyFileSystem) }
        below.makeNode(name, in: parent, permissions: permissions, caller: caller, reply)
    }

    func makeDirectory(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        guard !isFixed(name, in: parent) else { return reply.fail(.readOnlyFileSystem) }
        below.makeDirectory(name, in: parent, permissions: permissions, caller: caller, reply)
    }

    func makeSymbolicLink(
        to target: FileName, named name: FileName, in parent: NodeID, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        guard !isFixed(name, in: parent) else { return reply.fail(.readOnlyFileSystem) }
        below.makeSymbolicLink(to: target, named: name, in: parent, caller: caller, reply)
    }

    func unlink(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard !isFixed(name, in: parent) else { return reply.fail(.readOnlyFileSystem) }
        below.unlink(name, in: parent, reply)
    }

    func removeDirectory(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard !isFixed(name, in: parent) else { return reply.fail(.readOnlyFileSystem) }
        below.removeDirectory(name, in: parent, reply)
    }

    func rename(
        _ name: FileName, in parent: NodeID, to newName: FileName, in newParent: NodeID,
        _ rule: RenameRule, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard !isFixed(name, in: parent), !isFixed(newName, in: newParent) else {
            return reply.fail(.readOnlyFileSystem)
        }
        below.rename(name, in: parent, to: newName, in: newParent, rule, reply)
    }

    func setAttributes(
        of node: NodeID, _ changes: AttributeChanges, handle: HandleID?,
        _ reply: consuming Reply<RequestKind.Attributes>
    ) {
        guard VirtualNode(node) == nil else { return reply.fail(.readOnlyFileSystem) }
        below.setAttributes(of: node, changes, handle: handle, reply)
    }

    func write(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, bytes: UnsafeRawBufferPointer,
        _ reply: consuming Reply<RequestKind.Write>
    ) {
        guard VirtualNode(node) == nil else { return reply.fail(.badFileDescriptor) }
        below.write(node, handle, offset: offset, bytes: bytes, reply)
    }

    func flush(
        _ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard VirtualNode(node) == nil else { return reply.succeed() }
        below.flush(node, handle, reply)
    }

    func sync(
        _ node: NodeID, _ handle: HandleID, dataOnly: Bool,
        _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard VirtualNode(node) == nil else { return reply.succeed() }
        below.sync(node, handle, dataOnly: dataOnly, reply)
    }

    func syncDirectory(
        _ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard VirtualNode(node) == nil else { return reply.succeed() }
        below.syncDirectory(node, handle, reply)
    }

    func allocate(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, length: UInt64,
        _ allocation: Allocation, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard VirtualNode(node) == nil else { return reply.fail(.badFileDescriptor) }
        below.allocate(node, handle, offset: offset, length: length, allocation, reply)
    }

    /// A copy out of the folder is made by reading and writing: EOPNOTSUPP asks the kernel to.
    func copyRange(
        from source: FilePosition, to destination: FilePosition, count: Int,
        _ reply: consuming Reply<RequestKind.Write>
    ) {
        guard VirtualNode(source.node) == nil, VirtualNode(destination.node) == nil else {
            return reply.fail(.notSupported)
        }
        below.copyRange(from: source, to: destination, count: count, reply)
    }

    func setExtendedAttribute(
        _ name: FileName, of node: NodeID, to value: [UInt8], _ rule: ExtendedAttributeRule,
        _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard VirtualNode(node) == nil else { return reply.fail(.readOnlyFileSystem) }
        below.setExtendedAttribute(name, of: node, to: value, rule, reply)
    }

    func removeExtendedAttribute(
        _ name: FileName, of node: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard VirtualNode(node) == nil else { return reply.fail(.readOnlyFileSystem) }
        below.removeExtendedAttribute(name, of: node, reply)
    }
}
