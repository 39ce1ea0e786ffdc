import HubClient
import Platform

/// Names of directories that show something else than the kernel may remember.
package struct StaleEntry: Hashable, Sendable {
    package let parent: NodeNumber
    package let name: EntryName
}

extension Overlay {
    /// How a tree came to stand on another commit, or why it did not.
    struct Moving: Sendable {
        /// Paths at which our edits hide something the other side did; sorted.
        var contested: [String] = []
        /// Paths that would have changed under a program that can write to them; sorted.
        var busy: [String] = []
        /// Where our versions of yielded paths are now.
        var asides: [String] = []
        /// What to tell the kernel.
        var stale: [StaleEntry] = []
    }

    /// What a move does when something of ours is in its way.
    enum MoveRule {
        /// Nothing is done while a path is contested, or busy.
        case unlessContested
        /// Contested paths stay ours; nothing is done while a path is busy.
        case unlessBusy
        /// Contested and busy paths stay ours.
        case always
    }

    /// Shows what somebody else changed, with our edits on top, as one step of the journal. Objects
    /// that were replaced or removed live on for those who have them open; what stands in their place is
    /// another object.
    ///
    /// Precondition: the base source knows `commit`.
    ///
    /// - Parameters:
    ///   - commit: What the tree stands on afterwards.
    ///   - base: Where the difference begins: the base, or what was the base before a commit of ours.
    ///   - yielded: Paths at which theirs is to show, and ours is set aside.
    ///   - ours: Paths whose state is ours and no edit any more.
    ///   - facts: What is journalled with it.
    /// - Throws: `.listingNeeded`, as every operation.
    func move(
        to commit: CommitOID, from base: CommitOID, over difference: TreeDifference,
        yielding yielded: Set<ExactPath> = [], keeping ours: Set<ExactPath> = [],
        _ rule: MoveRule,
        facts: (borrowing JournalTransaction, Moving) throws -> Void
    ) throws(WriteBackError) -> Moving {
        let moving = try tree.withLock { tree throws(WriteBackError) in
            let move = try BaseMove(
                self, root: tree.root, from: base, to: commit, difference, yielding: yielded,
                keeping: ours)
            let moving = Moving(
                contested: move.contested.map(\.text).sorted(),
                busy: move.busy.map(\.text).sorted(),
                asides: move.asides, stale: Array(move.stale))
            switch rule {
            case .unlessContested:
                if !moving.contested.isEmpty || !moving.busy.isEmpty { return moving }
            case .unlessBusy: if !moving.busy.isEmpty { return moving }
            case .always: break
            }
            try apply(move, commit, &tree) { transaction in try facts(transaction, moving) }
            return moving
        }
        try staging.settleDiscarded()
        return moving
    }

    private func apply(
        _ move: BaseMove, _ commit: CommitOID, _ tree: inout Tree,
        _ facts: (borrowing JournalTransaction) throws -> Void
    ) throws(WriteBackError) {
        let names = Dictionary(
            move.renamed.map { ($0.node.number, $0.name) }, uniquingKeysWith: { $1 })
        let dropped = Set(move.dropped.map(\.number))
        let changed = changedNodes(move, dropped)
        try staging.writeDurably { transaction in
            for node in move.dropped where node.isRecorded {
                try transaction.remove(node.number)
                for layer in node.file?.layerNumbers ?? [] { try transaction.removeLayer(layer) }
            }
            for node in changed {
                var record = node.record
                if let name = names[node.number] { record.name = name }
                if let redirect = move.redirects[node.number] {
                    record.kind = .directory(LowerDirectory(redirect: redirect))
                }
                try transaction.put(record)
            }
            for node in move.made {
                var record = node.record
                if let redirect = move.redirects[node.number] {
                    record.kind = .directory(LowerDirectory(redirect: redirect))
                }
                try transaction.put(record)
            }
            for (parent, name) in move.hidden {
                try transaction.putWhiteout(name, in: parent.number)
            }
            for (parent, name) in move.shown {
                try transaction.removeWhiteout(name, in: parent.number)
            }
            try transaction.set(.baseCommit, commit.hex)
            try facts(transaction)
        }
        CrashPoint.moveJournalled.pass()
        for node in changed + move.made { node.isRecorded = true }
        show(move, commit, &tree)
    }

    /// Nodes whose records change, and the directories above them that have none; in an order in
    /// which no two have one name.
    private func changedNodes(_ move: BaseMove, _ dropped: Set<NodeNumber>) -> [OverlayNode] {
        var seen = dropped.union(move.made.map(\.number))
        let touched = move.renamed.map(\.node) + move.recorded
        let parents = (move.hidden.map(\.parent) + move.made.compactMap(\.parent))
            .flatMap { unrecorded(upFrom: $0) }
        return (touched + touched.flatMap { unrecorded(upFrom: $0) } + parents).filter {
            seen.insert($0.number).inserted
        }
    }

    private func show(_ move: BaseMove, _ commit: CommitOID, _ tree: inout Tree) {
        for node in move.dropped {
            guard let directory = node.parent?.directory else { continue }
            detach(node, from: directory, &tree)
        }
        for (node, name) in move.renamed {
            node.parent!.directory!.children[node.name] = nil
            node.parent!.directory!.children[name] = node
            node.name = name
        }
        for node in move.made {
            node.parent!.directory!.children[node.name] = node
            tree.nodes[node.number] = node
        }
        for (number, redirect) in move.redirects {
            tree.nodes[number]?.directory?.lower = LowerDirectory(redirect: redirect)
        }
        for (parent, name) in move.hidden { parent.directory!.whiteouts.insert(name) }
        for (parent, name) in move.shown { parent.directory!.whiteouts.remove(name) }
        for node in tree.nodes.values { node.directory?.listing = nil }
        tree.baseCommit = commit
        if !move.isEmpty { tree.changeCount += 1 }
    }
}
