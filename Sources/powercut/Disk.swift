import FuseBridge
import Glibc
import SystemPackage

/// A disk with a volatile cache, and the tree of files on it. In memory: for small tests.
///
/// Not modelled: modes, owners and times are on the disk at once; there are no links and no
/// extended attributes; no name moves to another directory (EXDEV, as between two disks).
struct Disk {
    enum Content {
        case file(CachedFile)
        case directory(CachedDirectory)
    }

    struct Node {
        var attributes: Attributes
        var content: Content
    }

    /// Those without a name too: a cut may bring their names back.
    private(set) var nodes: [NodeID: Node] = [:]
    private var nextNumber = NodeID.root.number
    private var writtenBytes = 0

    /// Bytes that can be written in all, since nothing is forgotten.
    static let writtenBytesMax = 1 << 30

    init() { _ = insert(.directory(CachedDirectory()), permissions: 0o700) }

    // MARK: Looking

    func node(_ id: NodeID) throws(Errno) -> Node {
        guard let node = nodes[id] else { throw .staleNFSFileHandle }
        return node
    }

    func file(_ id: NodeID) throws(Errno) -> CachedFile {
        guard case .file(let file) = try node(id).content else { throw .isDirectory }
        return file
    }

    func directory(_ id: NodeID) throws(Errno) -> CachedDirectory {
        guard case .directory(let directory) = try node(id).content else { throw .notDirectory }
        return directory
    }

    func entry(_ id: NodeID) throws(Errno) -> Entry {
        Entry(node: id, generation: 0, attributes: try node(id).attributes, cacheTime: .forever)
    }

    // MARK: Names

    mutating func make(
        _ name: FileName, in parent: NodeID, _ content: Content, permissions: mode_t
    ) throws(Errno) -> NodeID {
        guard try directory(parent).entries[name] == nil else { throw .fileExists }
        let id = insert(content, permissions: permissions)
        try change([name: id], in: parent)
        return id
    }

    mutating func remove(_ name: FileName, in parent: NodeID) throws(Errno) {
        guard let id = try directory(parent).entries[name] else { throw .noSuchFileOrDirectory }
        if case .directory(let directory) = try node(id).content {
            guard directory.entries.isEmpty else { throw .directoryNotEmpty }
        }
        nodes[id]!.attributes.linkCount = 0
        try change([name: nil], in: parent)
    }

    mutating func rename(
        _ name: FileName, to newName: FileName, in parent: NodeID
    ) throws(Errno) {
        let entries = try directory(parent).entries
        guard let id = entries[name] else { throw .noSuchFileOrDirectory }
        if let replaced = entries[newName] {
            if replaced == id { return }
            guard case .file = try node(replaced).content else { throw .isDirectory }
            nodes[replaced]!.attributes.linkCount = 0
        }
        try change([name: nil, newName: id], in: parent)
    }

    private mutating func change(
        _ names: [FileName: NodeID?], in id: NodeID
    ) throws(Errno) {
        var changed = try directory(id)
        changed.change(names)
        nodes[id]!.content = .directory(changed)
        touch(id)
    }

    // MARK: Contents

    mutating func write(_ bytes: [UInt8], to id: NodeID, at offset: UInt64) throws(Errno) {
        guard writtenBytes + bytes.count <= Self.writtenBytesMax,
            offset <= UInt64(Self.writtenBytesMax)
        else { throw .noSpace }
        writtenBytes += bytes.count
        try edit(id) { $0.write(bytes, at: Int(offset)) }
    }

    mutating func resize(_ id: NodeID, to size: UInt64) throws(Errno) {
        guard size <= UInt64(Self.writtenBytesMax) else { throw .noSpace }
        try edit(id) { $0.resize(to: Int(size)) }
    }

    private mutating func edit(_ id: NodeID, _ body: (inout CachedFile) -> Void) throws(Errno) {
        guard case .file(var file) = try node(id).content else { throw .isDirectory }
        // The only reference must be ours, or each edit would copy the bytes.
        nodes[id]!.content = .file(CachedFile())
        body(&file)
        nodes[id]!.attributes.size = UInt64(file.bytes.count)
        nodes[id]!.content = .file(file)
        touch(id)
    }

    mutating func setPermissions(_ permissions: mode_t, of id: NodeID) throws(Errno) {
        _ = try node(id)
        nodes[id]!.attributes.permissions = permissions
    }

    mutating func setModified(_ nanoseconds: Int64, of id: NodeID) throws(Errno) {
        _ = try node(id)
        nodes[id]!.attributes.modifiedNanoseconds = nanoseconds
    }

    // MARK: What is on the disk

    /// fsync of one file or directory: nothing of any other is on disk by that.
    mutating func sync(_ id: NodeID) throws(Errno) {
        switch try node(id).content {
        case .file(var file):
            file.sync()
            nodes[id]!.content = .file(file)
        case .directory(var directory):
            directory.sync()
            nodes[id]!.content = .directory(directory)
        }
    }

    /// The ordinary end of a machine: everything reaches the disk.
    mutating func syncAll() {
        for id in nodes.keys { try? sync(id) }
    }

    /// A disk as a power cut can leave it; all of it is certain.
    func survivor(using chance: inout some RandomNumberGenerator) -> Disk {
        var left = self
        // In one order, so that a seed repeats a cut.
        for (id, node) in nodes.sorted(by: { $0.key.number < $1.key.number }) {
            switch node.content {
            case .file(let file):
                let bytes = file.survivor(using: &chance)
                left.nodes[id]!.content = .file(CachedFile(durable: bytes))
                left.nodes[id]!.attributes.size = UInt64(bytes.count)
            case .directory(let directory):
                let names = directory.survivor(using: &chance)
                left.nodes[id]!.content = .directory(CachedDirectory(durable: names))
            }
        }
        return left
    }

    private mutating func insert(_ content: Content, permissions: mode_t) -> NodeID {
        let id = NodeID(nextNumber)
        nextNumber += 1
        let kind: NodeKind
        var size = 0
        switch content {
        case .file(let file): (kind, size) = (.file, file.bytes.count)
        case .directory: kind = .directory
        }
        let attributes = Attributes(
            inodeNumber: id.number, kind: kind, permissions: permissions,
            linkCount: kind == .directory ? 2 : 1, size: UInt64(size), modifiedNanoseconds: 0,
            uid: getuid(), gid: getgid(), preferredBlockBytes: 4096)
        nodes[id] = Node(attributes: attributes, content: content)
        touch(id)
        return id
    }

    private mutating func touch(_ id: NodeID) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        nodes[id]!.attributes.modifiedNanoseconds =
            Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
