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
    /// edits of it. One transaction of the journal.
    ///
    /// Precondition: the commit was prepared by the base source.
    ///
    /// - Returns: what to tell the kernel.
    func move(
        to commit: CommitOID, _ difference: TreeDifference
    ) throws(WriteBackError) -> [StaleEntry] {
        try tree.withLock { tree throws(WriteBackError) in
            let absorption = absorption(of: difference, keeping: [], tree)
            try journal.writeDurably { transaction in
                try transaction.set(.baseCommit, commit.hex)
                try absorption.record(transaction)
            }
            CrashPoint.moveJournalled.pass()
            tree.baseCommit = commit
            for node in tree.nodes.values { node.directory?.listing = nil }
            apply(absorption, &tree)
            return Array(absorption.stale)
        }
    }

    /// What it takes to show what somebody else changed, once the base has moved over it. Objects
    /// that were replaced or removed live on for those who have them open.
    ///
    /// - Parameters:
    ///   - ours: Paths whose state is our own, whatever the other side did.
    ///   - settled: What of the tree is about to change as well.
    func absorption(
        of difference: TreeDifference, keeping ours: Set<ExactPath>,
        after settled: Settled = Settled(), _ tree: Tree
    ) -> Absorption {
        var absorption = Absorption()
        for file in difference.files where !ours.contains(ExactPath(file.path)) {
            guard let found = find(file.path, tree) else { continue }
            absorption.stale.insert(found.entry)
            guard let node = found.node, node.file != nil, !settled.isDirty(node) else { continue }
            absorption.drop(node)
        }
        // The deepest first, so that a directory is empty when its turn comes.
        for path in difference.removedDirectories.sorted(by: { $0.utf8.count > $1.utf8.count }) {
            guard let found = find(path, tree), let node = found.node,
                let directory = node.directory, settled.redirect(of: node) == path
            else { continue }
            absorption.stale.insert(found.entry)
            let children = directory.children.values.filter { !absorption.drops($0) }
            if children.contains(where: \.isRecorded) {
                // Our own things are in it: it goes on as a directory of ours.
                absorption.kept.append(node)
            } else {
                for child in children { absorption.drop(child) }
                absorption.drop(node)
            }
        }
        return absorption
    }

    /// Shows what the journal has recorded.
    func apply(_ absorption: Absorption, _ tree: inout Tree) {
        for node in absorption.kept { node.directory?.redirect = nil }
        for node in absorption.dropped {
            guard let directory = node.parent?.directory else { continue }
            detach(node, from: directory, &tree)
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
}

extension Overlay {
    /// What others changed, as changes of this tree.
    struct Absorption {
        /// What to tell the kernel.
        var stale: Set<StaleEntry> = []
        /// Objects that are not theirs, each before the directory it is in.
        private(set) var dropped: [OverlayNode] = []
        private var droppedNumbers: Set<NodeNumber> = []
        /// Directories that the base has no more, and we have.
        var kept: [OverlayNode] = []

        func drops(_ node: OverlayNode) -> Bool { droppedNumbers.contains(node.number) }

        mutating func drop(_ node: OverlayNode) {
            if droppedNumbers.insert(node.number).inserted { dropped.append(node) }
        }

        func record(_ transaction: borrowing JournalTransaction) throws {
            for node in kept {
                var record = node.record
                record.kind = .directory(redirect: nil)
                try transaction.put(record)
            }
            for node in dropped where node.isRecorded {
                try transaction.remove(node.number)
                for layer in node.file?.layerNumbers ?? [] { try transaction.removeLayer(layer) }
            }
        }
    }

    /// What of the tree is about to change with a commit of our own.
    struct Settled {
        /// Files whose sealed bytes are in the commit.
        var files: Set<NodeNumber> = []
        /// What will show through directories.
        var redirects: [NodeNumber: String?] = [:]

        func isDirty(_ node: OverlayNode) -> Bool {
            guard let file = node.file else { return false }
            return files.contains(node.number) ? file.isEditedSinceSeal : file.isDirty
        }

        func redirect(of node: OverlayNode) -> String? {
            redirects[node.number] ?? node.directory?.redirect
        }
    }
}
