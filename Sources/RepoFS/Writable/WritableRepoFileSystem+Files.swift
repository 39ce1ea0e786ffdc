package import FuseBridge
package import Glibc
import Logging
import Platform
import RepoCache
import SystemPackage
import WriteBack

extension WritableRepoFileSystem {
    package func create(
        _ name: FileName, in parent: NodeID, permissions: mode_t, flags: Int32, caller: Caller,
        _ reply: consuming Reply<RequestKind.Create>
    ) {
        let metadata = metadata(permissions, caller)
        let forWriting = flags & O_ACCMODE != O_RDONLY
        attempt(reply) { [overlay] () throws(WriteBackError) in
            let view: NodeView
            if flags & O_EXCL == 0, let found = try overlay.lookUp(name.entry, in: parent.overlay) {
                view = found
            } else {
                view = try overlay.make(.file, name.entry, in: parent.overlay, metadata: metadata)
            }
            do throws(WriteBackError) {
                return (view, try overlay.open(view.number, flags: flags))
            } catch {
                overlay.forget(view.number, count: 1)
                throw error
            }
        } answer: { [self] reply, made in
            let open = OpenFile(made.1, isForWriting: forWriting)
            reply.created(
                entry(made.0), files.withLock { $0.insert(open) }, keepsCache: true)
        }
    }

    package func open(
        _ node: NodeID, flags: Int32, _ reply: consuming Reply<RequestKind.Open>
    ) {
        let forWriting = flags & O_ACCMODE != O_RDONLY
        do throws(WriteBackError) {
            let file = try overlay.open(node.overlay, flags: flags)
            let open = OpenFile(file, isForWriting: forWriting)
            // Only programs of this mount change the bytes, and the kernel sees them do it.
            reply.opened(files.withLock { $0.insert(open) }, keepsCache: true)
        } catch {
            fail(reply, error)
        }
    }

    package func release(_ handle: HandleID) {
        if let open = files.withLock({ $0.remove(handle) }) { close(open) }
    }

    /// The bytes are with us since write(2) returned: closing has nothing to add.
    package func flush(
        _ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>
    ) {
        reply.succeed()
    }

    package func write(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, bytes: UnsafeRawBufferPointer,
        _ reply: consuming Reply<RequestKind.Write>
    ) {
        edit(handle, node, reply) { file throws(WriteBackError) in
            try file.write(bytes, at: offset)
        } answer: {
            $0.written(bytes.count)
        }
    }

    package func sync(
        _ node: NodeID, _ handle: HandleID, dataOnly: Bool,
        _ reply: consuming Reply<RequestKind.Status>
    ) {
        guard let open = files.withLock({ $0[handle] }) else {
            return reply.fail(.badFileDescriptor)
        }
        do throws(WriteBackError) {
            try open.file.sync()
        } catch {
            return fail(reply, error)
        }
        guard let publish = publishOnSync.withLock({ $0 }) else { return reply.succeed() }
        let parked = reply.park()
        publish { isPublished in
            guard isPublished else { return parked.fail(.ioError) }
            if let reply = parked.take() { reply.succeed() }
        }
    }

    package func allocate(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, length: UInt64,
        _ allocation: Allocation, _ reply: consuming Reply<RequestKind.Status>
    ) {
        let (end, overflows) = offset.addingReportingOverflow(length)
        guard !overflows else { return reply.fail(.fileTooLarge) }
        edit(handle, node, reply) { file throws(WriteBackError) in
            try file.allocate(offset..<end, allocation)
        } answer: {
            $0.succeed()
        }
    }

    /// A copy of a whole file that was not edited shares its content: nothing is read. All other
    /// copies are left to the kernel, which reads and writes.
    package func copyRange(
        from source: FilePosition, to destination: FilePosition, count: Int,
        _ reply: consuming Reply<RequestKind.Write>
    ) {
        let (input, output) = files.withLock { ($0[source.handle], $0[destination.handle]) }
        guard let input, let output else { return reply.fail(.badFileDescriptor) }
        do throws(WriteBackError) {
            try overlay.willEdit(destination.node.overlay)
            guard source.offset == 0, destination.offset == 0,
                let copied = try overlay.share(input.file, with: output.file, countMax: count)
            else { return reply.fail(.notSupported) }
            reply.written(Int(copied))
        } catch {
            fail(reply, error)
        }
    }

    package func seek(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, to target: SeekTarget,
        _ reply: consuming Reply<RequestKind.Seek>
    ) {
        guard let open = files.withLock({ $0[handle] }) else {
            return reply.fail(.badFileDescriptor)
        }
        guard let found = open.file.seek(offset, toHole: target == .hole) else {
            return reply.fail(.noSuchAddressOrDevice)
        }
        reply.offset(found)
    }

    /// Changes a file through an open handle.
    private func edit<Kind>(
        _ handle: HandleID, _ node: NodeID, _ reply: consuming Reply<Kind>,
        _ change: (WorkingFile) throws(WriteBackError) -> Void,
        answer: (consuming Reply<Kind>) -> Void
    ) {
        guard let open = files.withLock({ $0[handle] }) else {
            return reply.fail(.badFileDescriptor)
        }
        do throws(WriteBackError) {
            if !open.file.isDirty { try overlay.willEdit(node.overlay) }
            try change(open.file)
            answer(reply)
        } catch {
            fail(reply, error)
        }
    }
}

extension Overlay {
    /// Opens a file as open(2) was asked to. Follow with `close`.
    fileprivate func open(
        _ number: NodeNumber, flags: Int32
    ) throws(WriteBackError) -> WorkingFile {
        let forWriting = flags & O_ACCMODE != O_RDONLY
        let file = try open(number, forWriting: forWriting)
        guard flags & O_TRUNC != 0 else { return file }
        do throws(WriteBackError) {
            try willEdit(number)
            // A new time also where there was nothing to take away.
            if file.size > 0 { try file.truncate(to: 0) } else { try file.touch() }
            return file
        } catch {
            close(file, wasForWriting: forWriting)
            throw error
        }
    }
}

extension WorkingFile {
    /// Source: man 2 fallocate.
    fileprivate func allocate(
        _ bytes: Range<UInt64>, _ allocation: Allocation
    ) throws(WriteBackError) {
        switch allocation {
        case .reserve(let keepsSize): try allocate(bytes, keepsSize: keepsSize)
        case .punchHole: try zero(bytes)
        case .zero(let keepsSize):
            if !keepsSize { try allocate(bytes, keepsSize: false) }
            try zero(bytes)
        }
    }
}
