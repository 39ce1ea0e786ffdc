package import HubClient
import Platform
import SystemPackage

extension Overlay {
    /// Changes what the Hub does not keep: permissions, owner, times.
    package func change(
        _ number: NodeNumber, _ body: (inout LocalMetadata) -> Void
    ) throws(WriteBackError) -> NodeView {
        try tree.withLock { tree throws(WriteBackError) in
            guard let node = tree.nodes[number] else { throw refuse(.staleNFSFileHandle) }
            let before = node.record.metadata
            var metadata = before
            body(&metadata)
            if node.isLinked {
                try record(node)
                try journal.write { try $0.setMetadata(metadata, of: number) }
            }
            node.metadata = metadata
            // A write that comes at the same time keeps its own.
            if metadata.modifiedNanoseconds != before.modifiedNanoseconds {
                node.file?.setModified(metadata.modifiedNanoseconds)
            }
            return NodeView(node)
        }
    }

    /// The value of a user's extended attribute, nil when there is none.
    package func attribute(_ name: EntryName, of number: NodeNumber) -> [UInt8]? {
        tree.withLock { $0.nodes[number]?.attributes[name] }
    }

    package func attributeNames(of number: NodeNumber) -> [EntryName] {
        tree.withLock { $0.nodes[number]?.attributes.keys.sorted() ?? [] }
    }

    /// When an attribute may be set. Source: man 2 setxattr.
    package enum AttributeMode: Sendable {
        case any
        case create
        case replace
    }

    /// Bytes of all attributes of one object together, as ext4 allows about a block of them.
    static let attributeBytesMax = 64 << 10

    package func setAttribute(
        _ name: EntryName, _ value: [UInt8], of number: NodeNumber, _ mode: AttributeMode
    ) throws(WriteBackError) {
        try tree.withLock { tree throws(WriteBackError) in
            guard let node = tree.nodes[number] else { throw refuse(.staleNFSFileHandle) }
            let exists = node.attributes[name] != nil
            if mode == .create, exists { throw refuse(.fileExists) }
            if mode == .replace, !exists { throw refuse(.noData) }
            let others = node.attributes.reduce(0) { sum, attribute in
                attribute.key == name
                    ? sum : sum + attribute.key.bytes.count + attribute.value.count
            }
            guard others + name.bytes.count + value.count <= Self.attributeBytesMax else {
                throw refuse(.noSpace)
            }
            if node.isLinked {
                try record(node)
                try journal.write { try $0.putAttribute(name, value, of: number) }
            }
            node.attributes[name] = value
        }
    }

    package func removeAttribute(
        _ name: EntryName, of number: NodeNumber
    ) throws(WriteBackError) {
        try tree.withLock { tree throws(WriteBackError) in
            guard let node = tree.nodes[number] else { throw refuse(.staleNFSFileHandle) }
            guard node.attributes[name] != nil else { throw refuse(.noData) }
            if node.isLinked { try journal.write { try $0.removeAttribute(name, of: number) } }
            node.attributes[name] = nil
        }
    }

    /// Lets an empty new file show the whole content of another that was not edited.
    ///
    /// - Parameter countMax: How many bytes the copy may have.
    /// - Returns: bytes shared; nil when the two are not such files.
    package func share(
        _ source: WorkingFile, with target: WorkingFile, countMax: Int
    ) throws(WriteBackError) -> UInt64? {
        try tree.withLock { tree throws(WriteBackError) in
            guard let base = source.cleanBase, base.size > 0, base.size <= UInt64(countMax),
                target.isNew, let node = tree.nodes[target.number], node.isLinked
            else { return nil }
            let now = wallClockNanoseconds()
            var record = node.record
            record.kind = .file(base)
            record.metadata.modifiedNanoseconds = now
            try journal.write { try $0.put(record) }
            target.adopt(base, modifiedNanoseconds: now)
            tree.changeCount += 1
            return base.size
        }
    }

    /// The objects that show a content of the base, wholly or in part.
    package func nodes(holding content: ContentID) -> [NodeNumber] {
        tree.withLock { tree in
            tree.nodes.values.filter { $0.file?.base?.content == content }.map(\.number)
        }
    }

    /// Puts every change made so far on disk: names, not bytes. For fsync of a directory.
    package func syncNames() throws(WriteBackError) {
        try staging.writeDurably { _ in }
    }
}
