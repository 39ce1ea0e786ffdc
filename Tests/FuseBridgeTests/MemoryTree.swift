import FuseBridge
import Glibc
import SystemPackage

/// A tree of files in memory, as plain as can be: what the tests' file system keeps.
struct MemoryTree {
    struct Node {
        /// The name it was made with, which calls are recorded by.
        let label: String
        var attributes: Attributes
        var bytes: [UInt8] = []
        /// What a symbolic link says.
        var target = FileName("")
        /// A directory's children.
        var children: [FileName: NodeID] = [:]
        var extended: [FileName: [UInt8]] = [:]
    }

    /// Removed ones too: handles may still be open.
    private(set) var nodes: [NodeID: Node] = [:]
    private var nextNumber = NodeID.root.number
    /// One second more at each change.
    private var clock: Int64 = 0

    init() {
        _ = insert("", .directory, permissions: 0o777, Caller(uid: getuid(), gid: getgid()))
    }

    func node(_ id: NodeID) throws(Errno) -> Node {
        guard let node = nodes[id] else { throw .staleNFSFileHandle }
        return node
    }

    func child(_ name: FileName, of parent: NodeID) throws(Errno) -> NodeID {
        guard let child = try node(parent).children[name] else { throw .noSuchFileOrDirectory }
        return child
    }

    func entry(_ id: NodeID) throws(Errno) -> Entry {
        Entry(
            node: id, generation: 0, attributes: try node(id).attributes, cacheTime: .forever)
    }

    // MARK: Names

    mutating func make(
        _ name: FileName, in parent: NodeID, _ kind: NodeKind, permissions: mode_t = 0o644,
        caller: Caller = Caller(uid: getuid(), gid: getgid()), target: FileName = FileName("")
    ) throws(Errno) -> NodeID {
        guard try node(parent).children[name] == nil else { throw .fileExists }
        let id = insert("\(name)", kind, permissions: permissions, caller)
        nodes[id]!.target = target
        if kind == .symbolicLink { nodes[id]!.attributes.size = UInt64(target.bytes.count) }
        nodes[parent]!.children[name] = id
        touch(parent)
        return id
    }

    mutating func remove(_ name: FileName, in parent: NodeID) throws(Errno) {
        let id = try child(name, of: parent)
        guard try node(id).children.isEmpty else { throw .directoryNotEmpty }
        nodes[id]!.attributes.linkCount = 0
        nodes[parent]!.children[name] = nil
        touch(parent)
    }

    mutating func rename(
        _ name: FileName, in parent: NodeID, to newName: FileName, in newParent: NodeID,
        _ rule: RenameRule
    ) throws(Errno) {
        let id = try child(name, of: parent)
        let replaced = try node(newParent).children[newName]
        switch rule {
        case .replace:
            if replaced != nil { try remove(newName, in: newParent) }
            nodes[parent]!.children[name] = nil
        case .noReplace:
            guard replaced == nil else { throw .fileExists }
            nodes[parent]!.children[name] = nil
        case .exchange:
            guard let replaced else { throw .noSuchFileOrDirectory }
            nodes[parent]!.children[name] = replaced
        }
        nodes[newParent]!.children[newName] = id
        touch(parent)
        touch(newParent)
    }

    // MARK: Contents

    mutating func write(_ bytes: [UInt8], to id: NodeID, at offset: UInt64)
        throws(Errno)
    {
        let end = Int(offset) + bytes.count
        if try node(id).bytes.count < end { try resize(id, to: UInt64(end)) }
        nodes[id]!.bytes.replaceSubrange(Int(offset)..<end, with: bytes)
        touch(id)
    }

    mutating func resize(_ id: NodeID, to size: UInt64) throws(Errno) {
        let grown = Int(size) - (try node(id).bytes.count)
        if grown > 0 {
            nodes[id]!.bytes.append(contentsOf: repeatElement(0, count: grown))
        } else {
            nodes[id]!.bytes.removeLast(-grown)
        }
        nodes[id]!.attributes.size = size
        touch(id)
    }

    mutating func allocate(_ id: NodeID, _ range: Range<UInt64>, _ allocation: Allocation)
        throws(Errno)
    {
        let size = UInt64(try node(id).bytes.count)
        switch allocation {
        case .reserve(keepsSize: true), .punchHole, .zero(keepsSize: true): break
        case .reserve(keepsSize: false), .zero(keepsSize: false):
            if range.upperBound > size { try resize(id, to: range.upperBound) }
        }
        if case .reserve = allocation { return }
        let end = min(range.upperBound, UInt64(nodes[id]!.bytes.count))
        for index in Int(min(range.lowerBound, end))..<Int(end) { nodes[id]!.bytes[index] = 0 }
        touch(id)
    }

    // MARK: Attributes

    mutating func apply(_ changes: AttributeChanges, to id: NodeID) throws(Errno) {
        if let size = changes.size { try resize(id, to: size) }
        var attributes = try node(id).attributes
        attributes.permissions = changes.permissions ?? attributes.permissions
        attributes.uid = changes.uid ?? attributes.uid
        attributes.gid = changes.gid ?? attributes.gid
        nodes[id]!.attributes = attributes
        switch changes.modified {
        case .now: touch(id)
        case .at(let nanoseconds): nodes[id]!.attributes.modifiedNanoseconds = nanoseconds
        case nil: break
        }
    }

    mutating func setExtended(
        _ name: FileName, of id: NodeID, to value: [UInt8], _ rule: ExtendedAttributeRule
    ) throws(Errno) {
        let exists = try node(id).extended[name] != nil
        if rule == .create, exists { throw .fileExists }
        if rule == .replace, !exists { throw .noData }
        nodes[id]!.extended[name] = value
    }

    mutating func removeExtended(_ name: FileName, of id: NodeID) throws(Errno) {
        guard nodes[id]?.extended.removeValue(forKey: name) != nil else { throw .noData }
    }

    private mutating func insert(
        _ label: String, _ kind: NodeKind, permissions: mode_t, _ caller: Caller
    ) -> NodeID {
        let id = NodeID(nextNumber)
        nextNumber += 1
        let attributes = Attributes(
            inodeNumber: id.number, kind: kind, permissions: permissions,
            linkCount: kind == .directory ? 2 : 1, size: 0, modifiedNanoseconds: 0,
            uid: caller.uid, gid: caller.gid, preferredBlockBytes: 1 << 17)
        nodes[id] = Node(label: label.isEmpty ? "/" : label, attributes: attributes)
        touch(id)
        return id
    }

    private mutating func touch(_ id: NodeID) {
        clock += 1_000_000_000
        nodes[id]!.attributes.modifiedNanoseconds = clock
    }
}
