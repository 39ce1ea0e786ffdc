import Platform
import SystemPackage

extension Overlay {
    /// What a new object is to be.
    package enum NewObject: Sendable {
        case file
        case directory
        case link(target: [UInt8])
    }

    /// Makes an object, with one lookup.
    ///
    /// - Parameter metadata: Permissions and owner; its times are set here.
    /// - Throws: EEXIST, ENOENT when the directory was removed, ENAMETOOLONG.
    package func make(
        _ object: NewObject, _ name: EntryName, in parent: NodeNumber, metadata: LocalMetadata
    ) throws(WriteBackError) -> NodeView {
        try Self.check(name)
        let number = NodeNumber(try journal.takeNumber())
        return try tree.withLock { tree throws(WriteBackError) in
            let parent = try tree.directory(parent)
            guard parent.isLinked else { throw refuse(.noSuchFileOrDirectory) }
            let directory = try listed(parent)
            guard try child(name, of: parent, &tree) == nil else { throw refuse(.fileExists) }
            var metadata = metadata
            metadata.modifiedNanoseconds = wallClockNanoseconds()
            let kind: OverlayNode.Kind =
                switch object {
                case .file: .file(WorkingFile(number: number, base: nil, staging: staging))
                case .directory: .directory(OverlayDirectory(.none))
                case .link(let target): .link(target: target)
                }
            let node = OverlayNode(
                number: number, inodeNumber: Self.localInodeBit | number.value, kind: kind,
                parent: parent, name: name, metadata: metadata)
            let missing = unrecorded(upFrom: node)
            let hidesBase = directory.baseHas(name) && !directory.whiteouts.contains(name)
            try journal.write { transaction in
                for node in missing { try transaction.put(node.record) }
                if hidesBase { try transaction.putWhiteout(name, in: parent.number) }
                try transaction.setModified(metadata.modifiedNanoseconds!, of: parent.number)
            }
            for node in missing { node.isRecorded = true }
            if hidesBase { directory.whiteouts.insert(name) }
            directory.children[name] = node
            parent.metadata.modifiedNanoseconds = metadata.modifiedNanoseconds
            node.lookupCount = 1
            tree.nodes[number] = node
            tree.changeCount += 1
            return NodeView(node)
        }
    }

    /// Names longer than any file system of ours could show again are refused at once.
    static func check(_ name: EntryName) throws(WriteBackError) {
        guard name.bytes.count <= 255 else { throw refuse(.fileNameTooLong) }
        precondition(
            !name.bytes.isEmpty && !name.bytes.contains(UInt8(ascii: "/"))
                && !name.bytes.contains(0), "the kernel passes one component")
    }
}
