import FuseBridge
import Glibc
import SystemPackage

extension MemoryFileSystem: WritableFileSystem {
    func create(
        _ name: FileName, in parent: NodeID, permissions: mode_t, flags: Int32, caller: Caller,
        _ reply: consuming Reply<RequestKind.Create>
    ) {
        let arguments = "\(name) \(octal(permissions)) \(describe(flags))"
        do throws(Errno) {
            let made = try perform("create", parent, arguments) { state throws(Errno) in
                let node = try state.tree.make(
                    name, in: parent, .file, permissions: permissions, caller: caller)
                return (entry: try state.tree.entry(node), handle: state.open(node))
            }
            reply.created(made.entry, made.handle, keepsCache: true)
        } catch {
            reply.fail(error)
        }
    }

    func makeNode(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        make("mknod", name, in: parent, .file, permissions, caller, reply)
    }

    func makeDirectory(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        make("mkdir", name, in: parent, .directory, permissions, caller, reply)
    }

    func makeSymbolicLink(
        to target: FileName, named name: FileName, in parent: NodeID, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        make("symlink", name, in: parent, .symbolicLink, 0o777, caller, target: target, reply)
    }

    private func make(
        _ operation: String, _ name: FileName, in parent: NodeID, _ kind: NodeKind,
        _ permissions: mode_t, _ caller: Caller, target: FileName = FileName(""),
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        let detail = kind == .symbolicLink ? "\(target)" : octal(permissions)
        do throws(Errno) {
            let entry = try perform(operation, parent, "\(name) \(detail)") { state throws(Errno) in
                let node = try state.tree.make(
                    name, in: parent, kind, permissions: permissions, caller: caller,
                    target: target)
                return try state.tree.entry(node)
            }
            reply.entry(entry)
        } catch {
            reply.fail(error)
        }
    }

    func unlink(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        change("unlink", parent, "\(name)", reply) { state throws(Errno) in
            try state.tree.remove(name, in: parent)
        }
    }

    func removeDirectory(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        change("rmdir", parent, "\(name)", reply) { state throws(Errno) in
            try state.tree.remove(name, in: parent)
        }
    }

    func rename(
        _ name: FileName, in parent: NodeID, to newName: FileName, in newParent: NodeID,
        _ rule: RenameRule, _ reply: consuming Reply<RequestKind.Status>
    ) {
        let newLabel = withTree { $0.nodes[newParent]?.label ?? "?" }
        change("rename", parent, "\(name) \(newLabel) \(newName) \(rule)", reply) {
            state throws(Errno) in
            try state.tree.rename(name, in: parent, to: newName, in: newParent, rule)
        }
    }

    func setAttributes(
        of node: NodeID, _ changes: AttributeChanges, handle: HandleID?,
        _ reply: consuming Reply<RequestKind.Attributes>
    ) {
        do throws(Errno) {
            let arguments = describe(changes, handle)
            let attributes = try perform("setattr", node, arguments) { state throws(Errno) in
                try state.tree.apply(changes, to: node)
                return try state.tree.node(node).attributes
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
            try perform("write", node, "@\(offset) +\(bytes.count)") { state throws(Errno) in
                guard state.handles[handle] == node else { throw .badFileDescriptor }
                try state.tree.write(Array(bytes), to: node, at: offset)
            }
            reply.written(bytes.count)
        } catch {
            reply.fail(error)
        }
    }

    func flush(_ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>) {
        change("flush", node, "", reply) { state throws(Errno) in
            guard state.handles[handle] == node else { throw .badFileDescriptor }
        }
    }

    func sync(
        _ node: NodeID, _ handle: HandleID, dataOnly: Bool,
        _ reply: consuming Reply<RequestKind.Status>
    ) {
        change(dataOnly ? "fdatasync" : "fsync", node, "", reply) { state throws(Errno) in
            guard state.handles[handle] == node else { throw .badFileDescriptor }
        }
    }

    func syncDirectory(
        _ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        change("fsyncdir", node, "", reply) { state throws(Errno) in
            guard state.handles[handle] == node else { throw .badFileDescriptor }
        }
    }

    func allocate(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, length: UInt64,
        _ allocation: Allocation, _ reply: consuming Reply<RequestKind.Status>
    ) {
        change("fallocate", node, "@\(offset) +\(length) \(allocation)", reply) {
            state throws(Errno) in
            try state.tree.allocate(node, offset..<offset + length, allocation)
        }
    }

    func copyRange(
        from source: FilePosition, to destination: FilePosition, count: Int,
        _ reply: consuming Reply<RequestKind.Write>
    ) {
        let target = withTree { $0.nodes[destination.node]?.label ?? "?" }
        let arguments = "@\(source.offset) \(target) @\(destination.offset) +\(count)"
        do throws(Errno) {
            let copied = try perform("copy", source.node, arguments) { state throws(Errno) in
                let bytes = try state.tree.node(source.node).bytes
                let part = Array(bytes.dropFirst(Int(source.offset)).prefix(count))
                try state.tree.write(part, to: destination.node, at: destination.offset)
                return part.count
            }
            reply.written(copied)
        } catch {
            reply.fail(error)
        }
    }

    func setExtendedAttribute(
        _ name: FileName, of node: NodeID, to value: [UInt8], _ rule: ExtendedAttributeRule,
        _ reply: consuming Reply<RequestKind.Status>
    ) {
        change("setxattr", node, "\(name) \(value) \(rule)", reply) { state throws(Errno) in
            try state.tree.setExtended(name, of: node, to: value, rule)
        }
    }

    func removeExtendedAttribute(
        _ name: FileName, of node: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        change("removexattr", node, "\(name)", reply) { state throws(Errno) in
            try state.tree.removeExtended(name, of: node)
        }
    }

    /// Performs what is answered by nothing but success.
    private func change(
        _ operation: String, _ node: NodeID, _ arguments: String,
        _ reply: consuming Reply<RequestKind.Status>, _ body: (inout State) throws(Errno) -> Void
    ) {
        do throws(Errno) {
            try perform(operation, node, arguments, body)
            reply.succeed()
        } catch {
            reply.fail(error)
        }
    }
}

private func octal(_ permissions: mode_t) -> String { String(permissions, radix: 8) }

private func describe(_ changes: AttributeChanges, _ handle: HandleID?) -> String {
    var words: [String] = []
    if let size = changes.size { words.append("size \(size)") }
    if let permissions = changes.permissions { words.append("permissions \(octal(permissions))") }
    if let uid = changes.uid { words.append("uid \(uid)") }
    if let gid = changes.gid { words.append("gid \(gid)") }
    if let modified = changes.modified { words.append("modified \(modified)") }
    if handle != nil { words.append("by handle") }
    return words.joined(separator: " ")
}
