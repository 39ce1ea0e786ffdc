package import FuseBridge
import Glibc
import HubClient
import Platform
import SystemPackage
import WriteBack

extension WritableRepoFileSystem {
    package func setAttributes(
        of node: NodeID, _ changes: AttributeChanges, handle: HandleID?,
        _ reply: consuming Reply<RequestKind.Attributes>
    ) {
        do throws(WriteBackError) {
            if let size = changes.size { try setSize(size, of: node) }
            let view = try setMetadata(changes, of: node)
            reply.attributes(attributes(of: view), cacheTime(of: view))
        } catch {
            fail(reply, error)
        }
    }

    private func setSize(_ size: UInt64, of node: NodeID) throws(WriteBackError) {
        guard let view = overlay.view(node.overlay) else {
            throw .refused(.staleNFSFileHandle)
        }
        guard let file = view.file else { throw .refused(.isDirectory) }
        try overlay.willEdit(node.overlay)
        try file.truncate(to: size)
    }

    private func setMetadata(
        _ changes: AttributeChanges, of node: NodeID
    ) throws(WriteBackError) -> NodeView {
        guard
            changes.permissions != nil || changes.uid != nil || changes.gid != nil
                || changes.modified != nil
        else {
            guard let view = overlay.view(node.overlay) else {
                throw .refused(.staleNFSFileHandle)
            }
            return view
        }
        return try overlay.change(node.overlay) { metadata in
            if let permissions = changes.permissions { metadata.permissions = permissions }
            if let uid = changes.uid { metadata.uid = uid }
            if let gid = changes.gid { metadata.gid = gid }
            switch changes.modified {
            case .now: metadata.modifiedNanoseconds = wallClockNanoseconds()
            case .at(let nanoseconds): metadata.modifiedNanoseconds = nanoseconds
            case nil: break
            }
        }
    }

    package func extendedAttribute(
        _ name: FileName, of node: NodeID, capacity: Int,
        _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        guard name.isUserAttribute else { return reply.fail(.notSupported) }
        guard let view = overlay.view(node.overlay) else {
            return reply.fail(.staleNFSFileHandle)
        }
        let found =
            HubAttribute(rawValue: name.description).map { value(of: $0, for: view) }
            ?? overlay.attribute(name.entry, of: node.overlay)
        guard let value = found else { return reply.fail(.noData) }
        reply.value(value, capacity: capacity)
    }

    package func extendedAttributeNames(
        of node: NodeID, capacity: Int, _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        guard let view = overlay.view(node.overlay) else {
            return reply.fail(.staleNFSFileHandle)
        }
        let own = HubAttribute.allCases.filter { value(of: $0, for: view) != nil }
            .map { Array($0.rawValue.utf8) }
        let names = own + overlay.attributeNames(of: node.overlay).map(\.bytes)
        reply.value(names.flatMap { $0 + [0] }, capacity: capacity)
    }

    package func setExtendedAttribute(
        _ name: FileName, of node: NodeID, to value: [UInt8], _ rule: ExtendedAttributeRule,
        _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard name.isUserAttribute else { return reply.fail(.notSupported) }
        // EOPNOTSUPP and not EPERM: programs that copy a file with its attributes go on without a word.
        guard HubAttribute(rawValue: name.description) == nil else {
            return reply.fail(.notSupported)
        }
        let mode: Overlay.AttributeMode =
            switch rule {
            case .createOrReplace: .any
            case .create: .create
            case .replace: .replace
            }
        do throws(WriteBackError) {
            try overlay.setAttribute(name.entry, value, of: node.overlay, mode)
            reply.succeed()
        } catch {
            fail(reply, error)
        }
    }

    package func removeExtendedAttribute(
        _ name: FileName, of node: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard name.isUserAttribute else { return reply.fail(.notSupported) }
        do throws(WriteBackError) {
            try overlay.removeAttribute(name.entry, of: node.overlay)
            reply.succeed()
        } catch {
            fail(reply, error)
        }
    }

    private func value(of attribute: HubAttribute, for view: NodeView) -> [UInt8]? {
        if attribute == .commit { return Array(base.snapshot.commit.hex.utf8) }
        // What was edited has no identity before it is committed.
        guard let file = view.file, !file.isDirty, let original = file.base else { return nil }
        let text: String
        switch (attribute, original.content) {
        case (.oid, let content): text = content.digest
        case (.sha256, .lfs(let oid)): text = oid.hex
        case (.sha256, .git), (.sha256, .xet), (.commit, _): return nil
        case (.cached, _): text = String(base.presentBytes(of: original))
        }
        return Array(text.utf8)
    }
}
