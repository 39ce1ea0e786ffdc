import FuseBridge
import Glibc
import Platform
import SystemPackage

/// Changes: handed on to the repo that they are of. Repos that cannot be edited answer EROFS; nobody makes
/// or removes repos here, so the tree's own directories answer EPERM.
extension HubTreeFileSystem: WritableFileSystem {
    /// Runs `body` with the file system of the repo that a node is of, if that can be edited.
    private func withEdited<Kind>(
        _ node: NodeID, _ reply: consuming Reply<Kind>,
        _ body: @escaping @Sendable (WritableRepoFileSystem, consuming Reply<Kind>) -> Void
    ) {
        let part = PartNumbers(of: node)
        if part == .whole { return reply.fail(.notPermitted) }
        withRepo(part, reply) { fileSystem, reply in
            guard let edited = fileSystem as? WritableRepoFileSystem else {
                return reply.fail(.readOnlyFileSystem)
            }
            body(edited, reply)
        }
    }

    /// The file system that a handle is of, if it can be edited.
    private func edited(_ handle: HandleID) -> WritableRepoFileSystem? {
        openRepo(PartNumbers(of: handle)) as? WritableRepoFileSystem
    }

    func create(
        _ name: FileName, in parent: NodeID, permissions: mode_t, flags: Int32, caller: Caller,
        _ reply: consuming Reply<RequestKind.Create>
    ) {
        withEdited(parent, reply) { repo, reply in
            repo.create(
                name, in: PartNumbers.inside(parent), permissions: permissions, flags: flags,
                caller: caller, reply)
        }
    }

    func makeNode(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        withEdited(parent, reply) { repo, reply in
            repo.makeNode(
                name, in: PartNumbers.inside(parent), permissions: permissions, caller: caller,
                reply)
        }
    }

    func makeDirectory(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        withEdited(parent, reply) { repo, reply in
            repo.makeDirectory(
                name, in: PartNumbers.inside(parent), permissions: permissions, caller: caller,
                reply)
        }
    }

    func makeSymbolicLink(
        to target: FileName, named name: FileName, in parent: NodeID, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        withEdited(parent, reply) { repo, reply in
            repo.makeSymbolicLink(
                to: target, named: name, in: PartNumbers.inside(parent), caller: caller, reply)
        }
    }

    func unlink(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        withEdited(parent, reply) { repo, reply in
            repo.unlink(name, in: PartNumbers.inside(parent), reply)
        }
    }

    func removeDirectory(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        withEdited(parent, reply) { repo, reply in
            repo.removeDirectory(name, in: PartNumbers.inside(parent), reply)
        }
    }

    /// From one repo to another it is EXDEV: mv(1) copies then.
    func rename(
        _ name: FileName, in parent: NodeID, to newName: FileName, in newParent: NodeID,
        _ rule: RenameRule, _ reply: consuming Reply<RequestKind.Status>
    ) {
        let (old, new) = (PartNumbers(of: parent), PartNumbers(of: newParent))
        if old != new, old != .whole, new != .whole { return reply.fail(.improperLink) }
        if new == .whole { return reply.fail(.notPermitted) }
        withEdited(parent, reply) { repo, reply in
            repo.rename(
                name, in: PartNumbers.inside(parent), to: newName,
                in: PartNumbers.inside(newParent), rule, reply)
        }
    }

    func setAttributes(
        of node: NodeID, _ changes: AttributeChanges, handle: HandleID?,
        _ reply: consuming Reply<RequestKind.Attributes>
    ) {
        withEdited(node, reply) { repo, reply in
            repo.setAttributes(
                of: PartNumbers.inside(node), changes, handle: handle.map(PartNumbers.inside),
                reply)
        }
    }

    func write(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, bytes: UnsafeRawBufferPointer,
        _ reply: consuming Reply<RequestKind.Write>
    ) {
        guard let repo = edited(handle) else { return reply.fail(.badFileDescriptor) }
        repo.write(
            PartNumbers.inside(node), PartNumbers.inside(handle), offset: offset, bytes: bytes,
            reply.handed(to: PartNumbers(of: handle)))
    }

    /// Also of files that cannot be edited: closing them is no change.
    func flush(
        _ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard let repo = edited(handle) else { return reply.succeed() }
        repo.flush(
            PartNumbers.inside(node), PartNumbers.inside(handle),
            reply.handed(to: PartNumbers(of: handle)))
    }

    func sync(
        _ node: NodeID, _ handle: HandleID, dataOnly: Bool,
        _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard let repo = edited(handle) else { return reply.succeed() }
        repo.sync(
            PartNumbers.inside(node), PartNumbers.inside(handle), dataOnly: dataOnly,
            reply.handed(to: PartNumbers(of: handle)))
    }

    func syncDirectory(
        _ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard let repo = edited(handle) else { return reply.succeed() }
        repo.syncDirectory(
            PartNumbers.inside(node), PartNumbers.inside(handle),
            reply.handed(to: PartNumbers(of: handle)))
    }

    func allocate(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, length: UInt64,
        _ allocation: Allocation, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard let repo = edited(handle) else { return reply.fail(.badFileDescriptor) }
        repo.allocate(
            PartNumbers.inside(node), PartNumbers.inside(handle), offset: offset, length: length,
            allocation, reply.handed(to: PartNumbers(of: handle)))
    }

    /// From one repo to another it is EXDEV: the kernel reads and writes then.
    func copyRange(
        from source: FilePosition, to destination: FilePosition, count: Int,
        _ reply: consuming Reply<RequestKind.Write>
    ) {
        let part = PartNumbers(of: destination.handle)
        guard PartNumbers(of: source.handle) == part else { return reply.fail(.improperLink) }
        guard let repo = edited(destination.handle) else {
            return reply.fail(.badFileDescriptor)
        }
        repo.copyRange(
            from: source.inside, to: destination.inside, count: count, reply.handed(to: part))
    }

    func setExtendedAttribute(
        _ name: FileName, of node: NodeID, to value: [UInt8], _ rule: ExtendedAttributeRule,
        _ reply: consuming Reply<RequestKind.Status>
    ) {
        withEdited(node, reply) { repo, reply in
            repo.setExtendedAttribute(
                name, of: PartNumbers.inside(node), to: value, rule, reply)
        }
    }

    func removeExtendedAttribute(
        _ name: FileName, of node: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        withEdited(node, reply) { repo, reply in
            repo.removeExtendedAttribute(name, of: PartNumbers.inside(node), reply)
        }
    }
}

extension FilePosition {
    /// As the part knows it that it is of.
    fileprivate var inside: FilePosition {
        FilePosition(
            node: PartNumbers.inside(node), handle: PartNumbers.inside(handle), offset: offset)
    }
}
