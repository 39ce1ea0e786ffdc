import HubClient
import Platform

/// Names of directories that show something else than the kernel may remember.
package struct StaleEntry: Hashable, Sendable {
    package let parent: NodeNumber
    package let name: EntryName
}

extension Overlay {
    /// Paths that programs can write to now, from the mounted directory.
    func writerPaths() -> Set<ExactPath> {
        tree.withLock { tree in
            Set(
                tree.nodes.values.compactMap { node in
                    guard node.file?.hasWriters == true, let names = node.path else { return nil }
                    return ExactPath(names.map(\.description).joined(separator: "/"))
                })
        }
    }

    /// Stands on another commit, whose differences from the base touch none of our edits; those stay
    /// edits of it.
    ///
    /// Precondition: the commit was prepared by the base source.
    ///
    /// - Returns: what to tell the kernel.
    func move(
        to commit: CommitOID, _ difference: TreeDifference
    ) throws(WriteBackError) -> [StaleEntry] {
        try tree.withLock { tree throws(WriteBackError) in
            try journal.writeDurably { try $0.set(.baseCommit, commit.hex) }
            CrashPoint.moveJournalled.pass()
            tree.baseCommit = commit
            for node in tree.nodes.values { node.directory?.listing = nil }
            return try absorb(difference, keeping: [], &tree)
        }
    }

    /// Shows what somebody else changed, after the base has moved over it. Objects that were replaced
    /// or removed live on for those who have them open.
    ///
    /// - Parameter ours: Paths whose state is our own, whatever the other side did.
    func absorb(
        _ difference: TreeDifference, keeping ours: Set<ExactPath>
    ) throws(WriteBackError) -> [StaleEntry] {
        try tree.withLock { tree throws(WriteBackError) in
            try absorb(difference, keeping: ours, &tree)
        }
    }

    private func absorb(
        _ difference: TreeDifference, keeping ours: Set<ExactPath>, _ tree: inout Tree
    ) throws(WriteBackError) -> [StaleEntry] {
        var stale: Set<StaleEntry> = []
        for file in difference.files where !ours.contains(ExactPath(file.path)) {
            guard let found = find(file.path, tree) else { continue }
            stale.insert(found.entry)
            guard let node = found.node, let working = node.file, !working.isDirty else { continue }
            try drop(node, &tree)
        }
        // The deepest first, so that a directory is empty when its turn comes.
        for path in difference.removedDirectories.sorted(by: { $0.utf8.count > $1.utf8.count }) {
            guard let found = find(path, tree), let node = found.node,
                let directory = node.directory, directory.redirect == path
            else { continue }
            stale.insert(found.entry)
            if directory.children.values.contains(where: { $0.isRecorded }) {
                // Our own things are in it: it goes on as a directory of ours.
                directory.redirect = nil
                try record(node)
                try journal.write { try $0.put(node.record) }
            } else {
                for child in directory.children.values { try drop(child, &tree) }
                try drop(node, &tree)
            }
        }
        return Array(stale)
    }

    /// The deepest entry of a path whose directory is known.
    private func find(_ path: String, _ tree: Tree) -> (entry: StaleEntry, node: OverlayNode?)? {
        var node = tree.root
        let names = path.utf8.split(separator: UInt8(ascii: "/")).map { EntryName(Array($0)) }
        for (index, name) in names.enumerated() {
            guard let directory = node.directory else { return nil }
            let entry = StaleEntry(parent: node.number, name: name)
            guard let child = directory.children[name] else { return (entry, nil) }
            if index == names.count - 1 { return (entry, child) }
            node = child
        }
        return nil
    }

    private func drop(_ node: OverlayNode, _ tree: inout Tree) throws(WriteBackError) {
        guard let parent = node.parent, let directory = parent.directory else { return }
        if node.isRecorded {
            let layers = node.file?.layerNumbers ?? []
            try journal.write { transaction in
                try transaction.remove(node.number)
                for layer in layers { try transaction.removeLayer(layer) }
            }
        }
        detach(node, from: directory, &tree)
    }
}
