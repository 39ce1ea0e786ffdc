import Platform
import SystemPackage

extension Overlay {
    /// The edits as they are now, without sealing anything: for status and diff.
    package func edits() -> FrozenTree {
        tree.withLock { tree in
            FrozenTree(
                base: tree.baseCommit, root: Self.frozen(tree.root) { _, file in file.frozen })
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
    /// - Returns: what the caller must `release`.
    package func freeze(leavesOpenFiles: Bool) throws(WriteBackError) -> FrozenTree {
        do throws(WriteBackError) {
            let frozen = try tree.withLock { tree throws(WriteBackError) in
                let frozen = Self.seal(tree, leavesOpenFiles: leavesOpenFiles)
                CrashPoint.sealed.pass()
                try record(frozen)
                return frozen
            }
            CrashPoint.sealJournalled.pass()
            try sync(frozen)
            CrashPoint.sealSynced.pass()
            return frozen
        } catch {
            // Edits go on in the layer that was sealed, or above it.
            try? thaw()
            throw error
        }
    }

    /// Each file's lock is taken for the moment of its own sealing, never while the journal is
    /// written: a program that edits it holds that lock and waits for the journal.
    private static func seal(_ tree: Tree, leavesOpenFiles: Bool) -> FrozenTree {
        var files: [NodeNumber: FrozenFile] = [:]
        for node in tree.nodes.values where node.isLinked {
            if let file = node.file {
                files[node.number] = file.freeze(leavesOpen: leavesOpenFiles)
            }
        }
        let root = frozen(tree.root) { node, _ in files[node.number]! }
        return FrozenTree(
            base: tree.baseCommit, root: root, sealed: files.values.compactMap(\.sealed))
    }

    private func record(_ frozen: FrozenTree) throws(WriteBackError) {
        do throws(WriteBackError) {
            try journal.write { transaction in
                for layer in frozen.sealed { try transaction.putWhole(layer.record) }
            }
        } catch {
            frozen.release()
            throw error
        }
    }

    private func sync(_ frozen: FrozenTree) throws(WriteBackError) {
        let layers = frozen.sealed.compactMap(\.unsynced)
        if layers.isEmpty { return }
        do throws(WriteBackError) {
            try staging.sync(layers)
            try journal.writeDurably { transaction in
                for layer in layers { try transaction.setSynced(layer) }
            }
        } catch {
            frozen.release()
            throw error
        }
        for layer in frozen.sealed {
            if let synced = layer.unsynced { layer.file.noteSynced([synced]) }
        }
    }

    /// Puts every edit on disk, so that a power cut leaves all of it: for the ordinary end of a mount,
    /// which may be followed by that of the machine.
    func syncEverything() throws(WriteBackError) {
        let files = tree.withLock { tree in tree.nodes.values.compactMap(\.file) }
        var found: [UnsyncedFile] = []
        for file in files { found.append(try file.unsynced()) }
        let unsynced = found.filter { !$0.layers.isEmpty }
        try staging.sync(unsynced.flatMap(\.layers))
        try staging.writeDurably { transaction in
            for file in unsynced { try file.record(transaction) }
        }
        for file in unsynced { file.file.noteSynced(file.layers) }
    }

    /// Lets go of what `freeze` sealed, after a commit that did not come about: edits made since are
    /// merged with it.
    package func thaw() throws(WriteBackError) {
        let files = tree.withLock { tree in tree.nodes.values.compactMap(\.file) }
        for file in files { try file.unseal() }
    }

    private static func frozen(
        _ node: OverlayNode, _ freeze: (OverlayNode, WorkingFile) -> FrozenFile
    ) -> FrozenDirectory {
        let directory = node.directory!
        let children = directory.children.values.filter(\.isRecorded).map { child in
            let kind: FrozenChild.Kind =
                switch child.kind {
                case .directory: .directory(frozen(child, freeze))
                case .file(let file): .file(freeze(child, file))
                case .link(let target): .link(target: target)
                }
            return FrozenChild(number: child.number, name: child.name, kind: kind)
        }
        return FrozenDirectory(
            number: node.number, lower: directory.lower, whiteouts: directory.whiteouts,
            children: children.sorted { $0.name < $1.name })
    }
}
