import Platform
import SystemPackage

extension Overlay {
    /// Takes a file's or link's name away; who has it open keeps its bytes.
    package func unlink(_ name: EntryName, in parent: NodeNumber) throws(WriteBackError) {
        try tree.withLock { tree throws(WriteBackError) in
            let parent = try tree.directory(parent)
            guard let node = try child(name, of: parent, &tree) else {
                throw refuse(.noSuchFileOrDirectory)
            }
            guard node.directory == nil else { throw refuse(.isDirectory) }
            try remove(node, from: parent, &tree)
        }
        try staging.settleDiscarded()
    }

    /// Removes an empty directory.
    package func removeDirectory(_ name: EntryName, in parent: NodeNumber) throws(WriteBackError) {
        try tree.withLock { tree throws(WriteBackError) in
            let parent = try tree.directory(parent)
            guard let node = try child(name, of: parent, &tree) else {
                throw refuse(.noSuchFileOrDirectory)
            }
            try checkEmpty(node)
            try remove(node, from: parent, &tree)
        }
    }

    /// - Throws: ENOTDIR, ENOTEMPTY.
    func checkEmpty(_ node: OverlayNode) throws(WriteBackError) {
        let directory = try listed(node)
        guard directory.children.isEmpty else {
            throw refuse(.directoryNotEmpty)
        }
        guard let listing = directory.listing else { return }
        for index in 0..<listing.count where !directory.whiteouts.contains(listing.name(at: index))
        {
            throw refuse(.directoryNotEmpty)
        }
    }

    private func remove(
        _ node: OverlayNode, from parent: OverlayNode, _ tree: inout Tree
    ) throws(WriteBackError) {
        let directory = try listed(parent)
        let hidesBase = directory.baseHas(node.name) && !directory.whiteouts.contains(node.name)
        let missing = unrecorded(upFrom: parent)
        let now = wallClockNanoseconds()
        let layers = node.file?.layerNumbers ?? []
        try journal.write { transaction in
            for node in missing { try transaction.put(node.record) }
            if node.isRecorded { try transaction.remove(node.number) }
            for layer in layers { try transaction.removeLayer(layer) }
            if hidesBase { try transaction.putWhiteout(node.name, in: parent.number) }
            try transaction.setModified(now, of: parent.number)
        }
        for node in missing { node.isRecorded = true }
        if hidesBase { directory.whiteouts.insert(node.name) }
        parent.metadata.modifiedNanoseconds = now
        detach(node, from: directory, &tree)
        tree.changeCount += 1
    }

    /// Takes a node out of the tree, whose records are gone.
    func detach(_ node: OverlayNode, from directory: OverlayDirectory, _ tree: inout Tree) {
        directory.children[node.name] = nil
        node.isLinked = false
        node.isRecorded = false
        node.parent = nil
        node.file?.unlinked()
        if node.file?.isOpen == true { keepNumber(of: node, &tree) }
        tree.free(from: node)
    }
}
