import Platform
import SystemPackage

extension Overlay {
    /// Builds the tree from what the journal holds.
    ///
    /// Precondition: `contents` has no `treeFault`.
    func restore(_ contents: JournalContents) {
        let layers = Dictionary(grouping: contents.layers, by: \.node)
        tree.withLock { tree in
            for record in contents.nodes {
                if record.parent == nil {
                    restore(record, contents, into: tree.root)
                    continue
                }
                tree.nodes[record.number] = makeNode(record, contents, layers[record.number] ?? [])
            }
            for record in contents.nodes {
                guard let parent = record.parent.flatMap({ tree.nodes[$0] }),
                    let node = tree.nodes[record.number]
                else { continue }
                node.parent = parent
                parent.directory!.children[node.name] = node
                let number = numbering.child(of: parent.inodeNumber, name: node.name)
                if node.inodeNumber != number { keepNumber(of: node, &tree) }
            }
        }
    }

    private func makeNode(
        _ record: NodeRecord, _ contents: JournalContents, _ layers: [LayerRecord]
    ) -> OverlayNode {
        let kind: OverlayNode.Kind
        switch record.kind {
        case .directory(let lower): kind = .directory(OverlayDirectory(lower))
        case .link(let target): kind = .link(target: target)
        case .file(let base):
            let file = WorkingFile(number: record.number, base: base, staging: staging)
            file.restore(layers, modifiedNanoseconds: record.metadata.modifiedNanoseconds)
            kind = .file(file)
        }
        let node = OverlayNode(
            number: record.number, inodeNumber: record.inodeNumber, kind: kind, parent: nil,
            name: record.name)
        restore(record, contents, into: node)
        return node
    }

    private func restore(
        _ record: NodeRecord, _ contents: JournalContents, into node: OverlayNode
    ) {
        node.metadata = record.metadata
        node.attributes = contents.attributes[record.number] ?? [:]
        node.directory?.whiteouts = contents.whiteouts[record.number] ?? []
        node.isRecorded = true
    }
}
