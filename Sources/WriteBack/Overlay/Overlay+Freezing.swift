import Platform

extension Overlay {
    /// The edits as they are now, without sealing anything: for status and diff.
    package func edits() -> FrozenTree {
        tree.withLock { tree in
            FrozenTree(base: tree.baseCommit, root: Self.frozen(tree.root))
        }
    }

    /// Seals every edited file and takes the tree as it is: what a commit publishes. What is edited
    /// from now on is in the next one.
    ///
    /// The sealed bytes are on disk when this returns, so that a plan made of them outlives a power
    /// cut. Waits for the disk; programs go on meanwhile.
    ///
    /// - Parameter leavesOpenFiles: Files that programs can write to are not sealed; the tree says
    ///   which they are.
    package func freeze(leavesOpenFiles: Bool) throws(WriteBackError) -> FrozenTree {
        let (frozen, files) = try tree.withLock { tree throws(WriteBackError) in
            let files = tree.nodes.values.filter(\.isLinked).compactMap(\.file).filter {
                !(leavesOpenFiles && $0.hasWriters)
            }
            try journal.write { transaction in
                for file in files { try file.seal(transaction) }
            }
            return (FrozenTree(base: tree.baseCommit, root: Self.frozen(tree.root)), files)
        }
        try sync(files.filter(\.isSealedUnsynced))
        return frozen
    }

    /// Files that are synced one by one; more are synced by one call for the whole disk, which also
    /// waits for what others write.
    private static let singleSyncCountMax = 64

    private func sync(_ files: [WorkingFile]) throws(WriteBackError) {
        if files.isEmpty { return }
        if files.count <= Self.singleSyncCountMax {
            for file in files { try file.syncSealed() }
            try staging.syncFolder()
        } else {
            try staging.syncEverything()
        }
        try journal.writeDurably { transaction in
            for file in files { try file.sealedIsSynced(transaction) }
        }
    }

    /// Lets go of what `freeze` sealed, after a commit that did not come about: edits made since are
    /// merged with it.
    package func thaw() throws(WriteBackError) {
        let files = tree.withLock { tree in tree.nodes.values.compactMap(\.file) }
        for file in files { try file.unseal() }
    }

    private static func frozen(_ node: OverlayNode) -> FrozenDirectory {
        let directory = node.directory!
        let children = directory.children.values.filter(\.isRecorded).map { child in
            let kind: FrozenChild.Kind =
                switch child.kind {
                case .directory: .directory(frozen(child))
                case .file(let file): .file(file.frozen)
                case .link(let target): .link(target: target)
                }
            return FrozenChild(number: child.number, name: child.name, kind: kind)
        }
        return FrozenDirectory(
            number: node.number, redirect: directory.redirect, whiteouts: directory.whiteouts,
            children: children.sorted { $0.name < $1.name })
    }
}
