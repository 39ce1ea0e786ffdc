package import FuseBridge
package import Glibc
import Platform
import SystemPackage
import WriteBack

extension WritableRepoFileSystem {
    package func lookup(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Lookup>
    ) {
        attempt(reply) { [overlay] () throws(WriteBackError) in
            try overlay.lookUp(name.entry, in: parent.overlay)
        } answer: { [self] reply, view in
            if let view { reply.entry(entry(view)) } else { reply.absent(.forever) }
        }
    }

    package func makeNode(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        make(.file, name, in: parent, metadata(permissions, caller), reply)
    }

    package func makeDirectory(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        make(.directory, name, in: parent, metadata(permissions, caller), reply)
    }

    package func makeSymbolicLink(
        to target: FileName, named name: FileName, in parent: NodeID, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        make(.link(target: target.bytes), name, in: parent, metadata(0o777, caller), reply)
    }

    package func unlink(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        attempt(reply) { [overlay] () throws(WriteBackError) in
            try overlay.unlink(name.entry, in: parent.overlay)
        } answer: { reply, _ in
            reply.succeed()
        }
    }

    package func removeDirectory(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        attempt(reply) { [overlay] () throws(WriteBackError) in
            try overlay.removeDirectory(name.entry, in: parent.overlay)
        } answer: { reply, _ in
            reply.succeed()
        }
    }

    package func rename(
        _ name: FileName, in parent: NodeID, to newName: FileName, in newParent: NodeID,
        _ rule: RenameRule, _ reply: consuming Reply<RequestKind.Status>
    ) {
        let mode: Overlay.RenameMode =
            switch rule {
            case .replace: .replace
            case .noReplace: .noReplace
            case .exchange: .exchange
            }
        let source = Overlay.Place(parent: parent.overlay, name: name.entry)
        let target = Overlay.Place(parent: newParent.overlay, name: newName.entry)
        attempt(reply) { [overlay] () throws(WriteBackError) in
            try overlay.rename(from: source, to: target, mode)
        } answer: { reply, _ in
            reply.succeed()
        }
    }

    package func openDirectory(
        _ node: NodeID, _ reply: consuming Reply<RequestKind.OpenDirectory>
    ) {
        attempt(reply) { [overlay] () throws(WriteBackError) in
            _ = try overlay.snapshot(of: node.overlay)
        } answer: { [self] reply, _ in
            reply.opened(
                directories.withLock { $0.insert(DirectoryStream()) }, keepsCache: false)
        }
    }

    package func releaseDirectory(_ handle: HandleID) {
        _ = directories.withLock { $0.remove(handle) }
    }

    /// An fsync of a directory: its names, and all earlier ones, are on disk afterwards.
    package func syncDirectory(
        _ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        do throws(WriteBackError) {
            try overlay.syncNames()
            reply.succeed()
        } catch {
            fail(reply, error)
        }
    }

    package func readDirectory(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, into buffer: consuming DirectoryBuffer,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        guard let stream = directories.withLock({ $0[handle] }),
            let view = overlay.view(node.overlay)
        else { return reply.fail(.badFileDescriptor) }
        let snapshot: DirectorySnapshot
        do throws(WriteBackError) {
            snapshot = try self.snapshot(of: node, stream, isStart: offset == 0)
        } catch .listingNeeded {
            // The base has moved since the directory was opened.
            return readDirectoryLater(node, stream, view, buffer, reply)
        } catch {
            return fail(reply, error)
        }
        fill(&buffer, from: offset, of: snapshot, view)
        reply.entries(buffer.bytes)
    }

    /// Begins a directory once its listing is there. The kernel's buffer is for answers at once.
    private func readDirectoryLater(
        _ node: NodeID, _ stream: DirectoryStream, _ view: NodeView,
        _ buffer: consuming DirectoryBuffer, _ reply: consuming Reply<RequestKind.Data>
    ) {
        let (carriesEntries, byteCount) = (buffer.carriesEntries, buffer.byteCountMax)
        attempt(reply) { [self] () throws(WriteBackError) in
            try snapshot(of: node, stream, isStart: true)
        } answer: { [self] reply, snapshot in
            let storage = UnsafeMutableRawBufferPointer.allocate(
                byteCount: byteCount, alignment: MemoryLayout<UInt64>.alignment)
            defer { storage.deallocate() }
            var buffer = DirectoryBuffer(carriesEntries: carriesEntries, storage: storage)
            fill(&buffer, from: 0, of: snapshot, view)
            reply.entries(buffer.bytes)
        }
    }

    private func fill(
        _ buffer: inout DirectoryBuffer, from offset: UInt64, of snapshot: DirectorySnapshot,
        _ view: NodeView
    ) {
        let node = NodeID(view.number.value)
        var next = offset
        while next < UInt64(snapshot.count) + Self.dotCount {
            let fits =
                next < Self.dotCount
                ? addDot(number: next, of: view, to: &buffer)
                : add(place: Int(next - Self.dotCount), of: snapshot, in: node, to: &buffer)
            guard fits else { break }
            next += 1
        }
    }

    /// Reading starts with the directory as it is then, and goes on in what it started with.
    private func snapshot(
        of node: NodeID, _ stream: DirectoryStream, isStart: Bool
    ) throws(WriteBackError) -> DirectorySnapshot {
        if !isStart, let known = stream.snapshot.withLock({ $0 }) { return known }
        let fresh = try overlay.snapshot(of: node.overlay)
        stream.snapshot.withLock { $0 = fresh }
        return fresh
    }

    /// `.` and `..` come first, as offsets 0 and 1; the entry at place i is offset i + 2.
    private static let dotCount: UInt64 = 2
    private static let dot: [CChar] = [46, 0]
    private static let dotDot: [CChar] = [46, 46, 0]

    private func addDot(
        number: UInt64, of view: NodeView, to buffer: inout DirectoryBuffer
    ) -> Bool {
        number == 0
            ? buffer.addDot(Self.dot, inodeNumber: view.inodeNumber, nextOffset: 1)
            : buffer.addDot(
                Self.dotDot, inodeNumber: overlay.parentInodeNumber(of: view.number),
                nextOffset: 2)
    }

    /// - Returns: false when the entry does not fit. A name that has gone meanwhile is left out.
    private func add(
        place: Int, of snapshot: DirectorySnapshot, in parent: NodeID,
        to buffer: inout DirectoryBuffer
    ) -> Bool {
        guard let found = snapshot.entry(at: place) else { return true }
        let name = found.name.bytes.map { CChar(bitPattern: $0) } + [0]
        let nextOffset = UInt64(place) + Self.dotCount + 1
        let view: NodeView?
        do throws(WriteBackError) {
            view =
                buffer.carriesEntries ? try overlay.lookUp(found.name, in: parent.overlay) : nil
            if buffer.carriesEntries, view == nil { return true }
        } catch {
            // Not to be looked up now, which says nothing of the name.
            view = nil
        }
        guard let view else {
            return buffer.add(
                name, inodeNumber: found.inodeNumber, kind: found.kind.nodeKind,
                nextOffset: nextOffset)
        }
        if buffer.add(name, entry(view), nextOffset: nextOffset) { return true }
        overlay.forget(view.number, count: 1)
        return false
    }

    private func make(
        _ object: Overlay.NewObject, _ name: FileName, in parent: NodeID,
        _ metadata: LocalMetadata, _ reply: consuming Reply<RequestKind.MakeNode>
    ) {
        attempt(reply) { [overlay] () throws(WriteBackError) in
            try overlay.make(object, name.entry, in: parent.overlay, metadata: metadata)
        } answer: { [self] reply, view in
            reply.entry(entry(view))
        }
    }

    /// What is made belongs to who made it; the mount's own owner needs no record.
    func metadata(_ permissions: mode_t, _ caller: Caller) -> LocalMetadata {
        var metadata = LocalMetadata()
        metadata.permissions = permissions & 0o7777
        metadata.uid = caller.uid == presentation.uid ? nil : caller.uid
        metadata.gid = caller.gid == presentation.gid ? nil : caller.gid
        return metadata
    }
}

extension EntryKind {
    var nodeKind: NodeKind {
        switch self {
        case .directory: .directory
        case .file: .file
        case .link: .symbolicLink
        }
    }
}
