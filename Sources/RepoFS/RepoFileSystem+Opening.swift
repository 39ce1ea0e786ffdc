package import FuseBridge
import Glibc
import HubClient
import Logging
import Platform
import RepoCache
import SystemPackage

/// One open of a file on a mount that is read only.
struct ReadableFile {
    enum Source {
        /// A small content before its first read, which never comes if the kernel has kept its pages:
        /// most of what an open costs here is left out then.
        case unread(ContentLocation)
        case content(OpenContent)
        /// The kernel reads its file by itself. Open, so that the cache keeps it.
        case backing(OpenContent)
    }

    var source: Source
    /// The inode, if the open is counted in the table of openings.
    var counted: NodeID?

    var content: OpenContent? {
        switch source {
        case .unread: nil
        case .content(let content), .backing(let content): content
        }
    }
}

extension RepoFileSystem {
    package func open(
        _ node: NodeID, flags: Int32, _ reply: consuming Reply<RequestKind.Open>
    ) {
        guard flags & O_ACCMODE == O_RDONLY, flags & O_TRUNC == 0 else {
            return reply.fail(.readOnlyFileSystem)
        }
        let found = inodes.withLock { inodes in
            inodes.node(node).map { (node: $0, place: inodes.place(of: node)) }
        }
        guard let found else { return reply.fail(.staleNFSFileHandle) }
        guard case .file(let content, let size) = found.node.kind else {
            return reply.fail(.isDirectory)
        }
        let location = tree(at: found.place.snapshot).location(
            path: found.place.path, content: content, size: size)
        if ContentStore.isSmall(size) {
            base.noteUse(of: location)
            let handle = insert(ReadableFile(source: .unread(location)))
            return reply.opened(handle, keepsCache: true)
        }
        do throws(CacheError) {
            open(node, try openSound(location), reply)
        } catch {
            logger.error("\(found.place.path) cannot be opened: \(error)")
            reply.fail(error.errno)
        }
    }

    package func release(_ handle: HandleID) {
        guard let file = files.withLock({ $0.remove(handle) }) else { return }
        close(file)
    }

    /// Closes what the kernel has not released. Call when no more requests come.
    package func closeHandles() {
        for file in files.withLock({ $0.removeAll() }) { close(file) }
    }

    /// What the reads of a handle are answered from.
    enum HandleSource {
        case content(OpenContent)
        case backing(OpenContent)
        case failure(Errno)
    }

    func source(of handle: HandleID) -> HandleSource {
        switch files.withLock({ $0[handle]?.source }) {
        case .content(let content): return .content(content)
        case .backing(let content): return .backing(content)
        case .unread(let location):
            do throws(CacheError) {
                return .content(keep(try base.open(location), for: handle))
            } catch {
                logger.error("\(location.path) cannot be opened: \(error)")
                return .failure(error.errno)
            }
        case nil: return .failure(.badFileDescriptor)
        }
    }

    private func openSound(_ location: ContentLocation) throws(CacheError) -> OpenContent {
        let content = try base.open(location)
        guard content.isDamaged else { return content }
        content.close()
        return try base.open(location)
    }

    /// Answers the open of a content in the way its inode is read.
    private func open(
        _ node: NodeID, _ content: OpenContent, _ reply: consuming Reply<RequestKind.Open>
    ) {
        guard let backingFiles, backingFiles.areTaken else {
            let handle = insert(ReadableFile(source: .content(content)))
            return reply.opened(handle, keepsCache: true)
        }
        let way = openings.withLock { openings in
            openings.open(node, content: content) {
                content.sealedFile.flatMap { file in
                    backingFiles.register(file.descriptor, speaksForAll: file.isOurs)
                }
            }
        }
        switch way {
        case .cached:
            let file = ReadableFile(source: .content(content), counted: node)
            reply.opened(insert(file), keepsCache: true)
        case .backed(let id):
            content.noteKernelReads()
            let file = ReadableFile(source: .backing(content), counted: node)
            reply.opened(insert(file), backedBy: id)
        case nil:
            content.close()
            logger.error("\(content.location.path) was damaged, and is still open: EIO until then")
            reply.fail(.ioError)
        }
    }

    /// Two first reads at once open the content twice: one of them gives way.
    private func keep(_ opened: OpenContent, for handle: HandleID) -> OpenContent {
        let kept = files.withLock { files in
            if case .content(let other) = files[handle]?.source { return other }
            files[handle]?.source = .content(opened)
            return opened
        }
        if kept !== opened { opened.close() }
        return kept
    }

    private func insert(_ file: ReadableFile) -> HandleID { files.withLock { $0.insert(file) } }

    private func close(_ file: ReadableFile) {
        let unused = file.counted.flatMap { node in openings.withLock { $0.close(node) } }
        if let unused { backingFiles?.release(unused) }
        file.content?.close()
    }
}
