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

    /// Paths of files that a commit takes as they are: not written to nor renamed since its freeze.
    func pathsAsFrozen(_ settlement: Settlement) -> Set<ExactPath> {
        tree.withLock { tree in
            Set(
                settlement.files.compactMap { file in
                    guard let node = tree.nodes[NodeNumber(file.number)],
                        node.file?.wasEditedSinceSeal == false, let names = node.path
                    else { return nil }
                    let path = ExactPath(names.map(\.description).joined(separator: "/"))
                    return path == ExactPath(file.path) ? path : nil
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
            if file.content != nil { try showBase(above: file.path, &stale, tree) }
            guard let found = find(file.path, tree) else { continue }
            stale.insert(found.entry)
            guard let node = found.node, let working = node.file, !working.isDirty,
                // Both sides may have done the same.
                working.base?.content != file.content,
                // Else it was made here, or renamed to this name since the commit was frozen.
                !file.isNew, node.parent?.directory?.whiteouts.contains(node.name) == false
            else { continue }
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

    /// Lets directories that were made here show what the base has now at their paths.
    private func showBase(
        above path: String, _ stale: inout Set<StaleEntry>, _ tree: Tree
    ) throws(WriteBackError) {
        var node = tree.root
        var here = ""
        for name in path.utf8.split(separator: UInt8(ascii: "/")).dropLast() {
            let name = EntryName(Array(name))
            guard let directory = node.directory, let child = directory.children[name],
                let below = child.directory
            else { return }
            let isInPlace = directory.redirect.map { ExactPath($0) } == ExactPath(here)
            here = here.isEmpty ? name.description : here + "/" + name.description
            if isInPlace, below.redirect == nil, !directory.whiteouts.contains(name) {
                below.redirect = here
                try record(child)
                try journal.write { try $0.put(child.record) }
                stale.insert(StaleEntry(parent: node.number, name: name))
            }
            node = child
        }
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
