package import Glibc
import Platform
import SystemPackage

/// A directory in the root of a mount whose files are made at the moment they are opened.
///
/// It is found by its name and not listed. Where the file system below has the name itself, there is no
/// such directory. It belongs to the mount's owner alone, and nothing in it can be changed: EROFS, also on
/// a writable mount. Files show a size of 0, as those of /proc do, and are read past the kernel's
/// page cache.
package struct VirtualFolder: Sendable {
    package struct File: Sendable {
        let name: FileName
        let content: @Sendable () -> [UInt8]

        /// - Parameter content: Makes what an open shows. Runs on a thread of its own, one after the
        ///   other, and must not touch the mount: nobody waits but who opens the file.
        package init(_ name: String, content: @escaping @Sendable () -> [UInt8]) {
            self.name = FileName(name)
            self.content = content
        }
    }

    let name: FileName
    let uid: uid_t
    let gid: gid_t
    let files: [File]

    package init(_ name: String, uid: uid_t, gid: gid_t, files: [File]) {
        self.name = FileName(name)
        self.uid = uid
        self.gid = gid
        self.files = files
    }
}

/// Numbers of the nodes of a virtual folder: a part of their own, which no file system gives out.
enum VirtualNode: Hashable {
    case folder
    case file(index: Int)

    private static let part = PartNumbers(part: PartNumbers.partMax)
    /// The folder's own number in the part; those of its files follow.
    private static let folderNumber: UInt64 = 1

    /// - Returns: nil for a node of the file system below.
    @inline(__always)
    init?(_ node: NodeID) {
        guard PartNumbers(of: node) == Self.part else { return nil }
        let number = PartNumbers.inside(node).number
        self = number == Self.folderNumber ? .folder : .file(index: Int(number) - 2)
    }

    /// Whether a handle was given out for such a node.
    static func owns(_ handle: HandleID) -> Bool { PartNumbers(of: handle) == part }

    /// A handle for such a node.
    static func handle(_ number: UInt64) -> HandleID {
        HandleID(part.outside(NodeID(number)).number)
    }

    var node: NodeID {
        switch self {
        case .folder: Self.part.outside(NodeID(Self.folderNumber))
        case .file(let index): Self.part.outside(NodeID(UInt64(index) + 2))
        }
    }
}

/// What a virtual folder shows, and what of it is open.
final class VirtualFolderState: Sendable {
    private struct Open {
        var contents: [UInt64: [UInt8]] = [:]
        var lastNumber: UInt64 = 0
    }

    let folder: VirtualFolder
    private let open = Guarded(Open(), rank: .leaf)
    private let worker = Worker(name: "hubfs-folder", jobCountMax: openCountMax)

    /// Files that may be open at once, or wait to be: each keeps what it shows in memory.
    private static let openCountMax = 128

    init(_ folder: VirtualFolder) { self.folder = folder }

    /// Answers every open that waits, and ends the thread.
    func close() { worker.close() }

    func attributes(of node: VirtualNode) -> Attributes {
        let isFolder = node == .folder
        return Attributes(
            inodeNumber: node.node.number, kind: isFolder ? .directory : .file,
            permissions: isFolder ? 0o500 : 0o400, linkCount: 1, size: 0,
            modifiedNanoseconds: Int64(time(nil)) * 1_000_000_000, uid: folder.uid, gid: folder.gid,
            preferredBlockBytes: 128 << 10)
    }

    /// Never to be remembered: at another commit the name may be the repo's.
    func entry(_ node: VirtualNode) -> Entry {
        Entry(
            node: node.node, generation: 0, attributes: attributes(of: node),
            cacheTime: CacheTime(seconds: 0))
    }

    func open(_ index: Int, _ reply: consuming Reply<RequestKind.Open>) {
        let parked = reply.park()
        let isTaken = worker.submit { [self] in
            let content = folder.files[index].content()
            guard let reply = parked.take() else { return }
            guard let handle = keep(content) else { return reply.fail(.tooManyOpenFilesInSystem) }
            reply.openedDirectly(handle)
        }
        if !isTaken { parked.fail(.resourceTemporarilyUnavailable) }
    }

    func read(
        _ handle: HandleID, offset: UInt64, count: Int, _ reply: consuming Reply<RequestKind.Data>
    ) {
        guard let content = open.withLock({ $0.contents[handle.number] }) else {
            return reply.fail(.badFileDescriptor)
        }
        let start = Int(clamping: min(offset, UInt64(content.count)))
        var answer = Optional(reply)
        content.withUnsafeBytes {
            answer.take()!.bytes(
                UnsafeRawBufferPointer(rebasing: $0[start..<min(start + count, content.count)]))
        }
    }

    func release(_ handle: HandleID) { open.withLock { $0.contents[handle.number] = nil } }

    func list(
        from offset: UInt64, into buffer: consuming DirectoryBuffer,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        let own = VirtualNode.folder.node.number
        let rows: [(name: FileName, number: UInt64, kind: NodeKind)] =
            [(FileName("."), own, .directory), (FileName(".."), 1, .directory)]
            + folder.files.enumerated().map { index, file in
                (file.name, VirtualNode.file(index: index).node.number, .file)
            }
        for (index, row) in rows.enumerated().dropFirst(Int(clamping: offset)) {
            let name = row.name.bytes.map { CChar(bitPattern: $0) } + [0]
            let fits = buffer.add(
                name, inodeNumber: row.number, kind: row.kind, nextOffset: UInt64(index) + 1)
            if !fits { break }
        }
        reply.entries(buffer.bytes)
    }

    /// - Returns: nil when too much is open.
    private func keep(_ content: [UInt8]) -> HandleID? {
        open.withLock { open in
            guard open.contents.count < Self.openCountMax else { return nil }
            open.lastNumber += 1
            let handle = VirtualNode.handle(open.lastNumber)
            open.contents[handle.number] = content
            return handle
        }
    }
}
