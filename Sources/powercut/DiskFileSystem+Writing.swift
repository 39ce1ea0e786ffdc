import FuseBridge
import Glibc
import SystemPackage

extension DiskFileSystem: WritableFileSystem {
    func create(
        _ name: FileName, in parent: NodeID, permissions: mode_t, flags: Int32, caller: Caller,
        _ reply: consuming Reply<RequestKind.Create>
    ) {
        do throws(Errno) {
            let entry = try make(name, in: parent, .file(CachedFile()), permissions)
            reply.created(entry, HandleID(entry.node.number), keepsCache: true)
        } catch {
            reply.fail(error)
        }
    }

    func makeNode(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        do throws(Errno) {
            reply.entry(try make(name, in: parent, .file(CachedFile()), permissions))
        } catch {
            reply.fail(error)
        }
    }

    func makeDirectory(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        do throws(Errno) {
            reply.entry(try make(name, in: parent, .directory(CachedDirectory()), permissions))
        } catch {
            reply.fail(error)
        }
    }

    private func make(
        _ name: FileName, in parent: NodeID, _ content: Disk.Content, _ permissions: mode_t
    ) throws(Errno) -> Entry {
        try change { (disk) throws(Errno) in
            let made = try disk.make(name, in: parent, content, permissions: permissions)
            return try disk.entry(made)
        }
    }

    func makeSymbolicLink(
        to target: FileName, named name: FileName, in parent: NodeID, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        reply.fail(.notPermitted)
    }

    func unlink(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        perform(reply) { (disk) throws(Errno) in try disk.remove(name, in: parent) }
    }

    func removeDirectory(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        perform(reply) { (disk) throws(Errno) in try disk.remove(name, in: parent) }
    }

    func rename(
        _ name: FileName, in parent: NodeID, to newName: FileName, in newParent: NodeID,
        _ rule: RenameRule, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard parent == newParent else { return reply.fail(.improperLink) }
        guard rule == .replace else { return reply.fail(.invalidArgument) }
        perform(reply) { (disk) throws(Errno) in
            try disk.rename(name, to: newName, in: parent)
        }
    }

    func setAttributes(
        of node: NodeID, _ changes: AttributeChanges, handle: HandleID?,
        _ reply: consuming Reply<RequestKind.Attributes>
    ) {
        do throws(Errno) {
            let attributes = try change { (disk) throws(Errno) in
                if let size = changes.size { try disk.resize(node, to: size) }
                if let permissions = changes.permissions {
                    try disk.setPermissions(permissions, of: node)
                }
                if case .at(let nanoseconds) = changes.modified {
                    try disk.setModified(nanoseconds, of: node)
                }
                return try disk.node(node).attributes
            }
            reply.attributes(attributes, .forever)
        } catch {
            reply.fail(error)
        }
    }

    func write(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, bytes: UnsafeRawBufferPointer,
        _ reply: consuming Reply<RequestKind.Write>
    ) {
        do throws(Errno) {
            try change { (disk) throws(Errno) in
                try disk.write(Array(bytes), to: node, at: offset)
            }
            reply.written(bytes.count)
        } catch {
            reply.fail(error)
        }
    }

    func flush(_ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>) {
        reply.succeed()
    }

    func sync(
        _ node: NodeID, _ handle: HandleID, dataOnly: Bool,
        _ reply: consuming Reply<RequestKind.Status>
    ) {
        perform(reply) { (disk) throws(Errno) in try disk.sync(node) }
    }

    func syncDirectory(
        _ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        perform(reply) { (disk) throws(Errno) in try disk.sync(node) }
    }

    func allocate(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, length: UInt64,
        _ allocation: Allocation, _ reply: consuming Reply<RequestKind.Status>
    ) {
        reply.fail(.notSupported)
    }

    func copyRange(
        from source: FilePosition, to destination: FilePosition, count: Int,
        _ reply: consuming Reply<RequestKind.Write>
    ) {
        reply.fail(.notSupported)
    }

    /// The one attribute there is, of the mount's root, says when the power goes.
    func setExtendedAttribute(
        _ name: FileName, of node: NodeID, to value: [UInt8], _ rule: ExtendedAttributeRule,
        _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard node == .root, name == FileName("user.powercut.changes") else {
            return reply.fail(.notSupported)
        }
        setChangesLeft(Int(String(decoding: value, as: UTF8.self)))
        reply.succeed()
    }

    func removeExtendedAttribute(
        _ name: FileName, of node: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        reply.fail(.notSupported)
    }

    /// Makes a change that is answered by nothing but success.
    private func perform(
        _ reply: consuming Reply<RequestKind.Status>,
        _ body: (inout Disk) throws(Errno) -> Void
    ) {
        do throws(Errno) {
            try change(body)
            reply.succeed()
        } catch {
            reply.fail(error)
        }
    }
}
