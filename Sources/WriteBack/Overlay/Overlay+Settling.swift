import HubClient
import Platform

extension Overlay {
    /// Stands on the commit that was made of a frozen tree. What was edited since the freeze stays
    /// an edit; the rest is the base's now. Nodes keep their numbers: no handle and no cached entry
    /// of the kernel notices.
    ///
    /// - Parameter facts: What is journalled with it.
    /// - Returns: the staging files that hold committed bytes and are no layer's any more, by
    ///   content: to be given to the cache where they are whole, then discarded.
    func settle(
        _ settlement: Settlement, on commit: CommitOID,
        facts: (borrowing JournalTransaction) throws -> Void = { _ in }
    ) throws(WriteBackError) -> [SettledContent] {
        try tree.withLock { tree throws(WriteBackError) in
            let directories = settled(settlement, tree)
            let files = settlement.files.compactMap { file in
                SettledFile(file, on: commit, tree)
            }
            // Nothing in memory changes before the journal has it all, and no file's lock is taken
            // while it is written, see `freeze`.
            try journal.writeDurably { transaction in
                for directory in directories { try directory.record(transaction) }
                for file in files { try file.record(transaction) }
                try transaction.set(.baseCommit, commit.hex)
                try transaction.remove(.plan)
                try facts(transaction)
            }
            CrashPoint.settleJournalled.pass()
            for directory in directories { directory.apply() }
            for node in tree.nodes.values { node.directory?.listing = nil }
            tree.baseCommit = commit
            return files.compactMap { file in file.file.settle(on: file.base) }
        }
    }

    /// What becomes of the directories; those that stay as they are left out.
    private func settled(_ settlement: Settlement, _ tree: Tree) -> [SettledDirectory] {
        let moves = Moves(settlement)
        let frozen = Dictionary(
            uniqueKeysWithValues: settlement.directories.map { (NodeNumber($0.number), $0) })
        return tree.nodes.values.compactMap { node in
            guard let directory = node.directory else { return nil }
            if let frozen = frozen[node.number] { return SettledDirectory(node, directory, frozen) }
            let lower = lower(of: node, frozen, moves)
            if lower == directory.lower { return nil }
            return SettledDirectory(
                node: node, directory: directory, lower: lower, whiteouts: directory.whiteouts)
        }
    }

    /// What shows through a directory once the tree stands on the commit.
    ///
    /// One directory of the base can show at two places, where it was moved to and, its removal
    /// discarded, where it was: what the journal does not know follows the directory it is in.
    private func lower(
        of node: OverlayNode, _ frozen: [NodeNumber: Settlement.Directory], _ moves: Moves
    ) -> LowerDirectory {
        guard let directory = node.directory else { return .none }
        if let frozen = frozen[node.number] { return frozen.lower }
        guard case .base(let old) = directory.lower else { return directory.lower }
        if !node.isRecorded, let parent = node.parent {
            let above = lower(of: parent, frozen, moves)
            if above != .none { return above.child(node.name) }
        }
        return moves.lower(of: old)
    }

    /// A directory as it stands on the new commit.
    fileprivate struct SettledDirectory {
        let node: OverlayNode
        let directory: OverlayDirectory
        let lower: LowerDirectory
        let whiteouts: Set<EntryName>

        func record(_ transaction: borrowing JournalTransaction) throws {
            guard node.isLinked, node.isRecorded else { return }
            for name in directory.whiteouts.subtracting(whiteouts) {
                try transaction.removeWhiteout(name, in: node.number)
            }
            for name in whiteouts.subtracting(directory.whiteouts) {
                try transaction.putWhiteout(name, in: node.number)
            }
            var record = node.record
            record.kind = .directory(lower)
            try transaction.put(record)
        }

        func apply() {
            directory.lower = lower
            directory.whiteouts = whiteouts
        }
    }

    /// A file whose bytes the commit has.
    fileprivate struct SettledFile {
        let node: OverlayNode
        let file: WorkingFile
        let base: BaseFile
        let sealedNumber: UInt64?

        func record(_ transaction: borrowing JournalTransaction) throws {
            if let sealedNumber { try transaction.removeLayer(sealedNumber) }
            if node.isLinked { try transaction.setBase(base, of: node.number) }
        }
    }

    /// What became of the base's directories that the commit has elsewhere, or no more.
    private struct Moves {
        /// By the base's path, the longest first.
        private let moves: [(old: String, new: LowerDirectory)]

        init(_ settlement: Settlement) {
            moves = settlement.directories.compactMap { directory in
                guard let old = directory.redirect, directory.lower != .none else { return nil }
                return (old, directory.lower)
            }.sorted { $0.old.utf8.count > $1.old.utf8.count }
        }

        func lower(of path: String) -> LowerDirectory {
            for move in moves {
                if path.utf8.elementsEqual(move.old.utf8) { return move.new }
                let prefix = move.old.isEmpty ? "" : move.old + "/"
                if path.utf8.starts(with: prefix.utf8) {
                    let rest = String(
                        decoding: Array(path.utf8.dropFirst(prefix.utf8.count)), as: UTF8.self)
                    return move.new.child(path: rest)
                }
            }
            return .base(path)
        }
    }
}

extension Overlay.SettledDirectory {
    /// Names that were changed since the freeze stay changed.
    fileprivate init(
        _ node: OverlayNode, _ directory: OverlayDirectory, _ frozen: Settlement.Directory
    ) {
        let gone = Set(frozen.whiteouts.map(\.name))
        var whiteouts = directory.whiteouts.subtracting(gone)
        for child in frozen.children
        where directory.children[child.name]?.number.value != child.number {
            whiteouts.insert(child.name)
        }
        self.init(
            node: node, directory: directory,
            lower: frozen.lower, whiteouts: whiteouts)
    }
}

extension Overlay.SettledFile {
    /// - Returns: nil when the object is gone.
    fileprivate init?(_ settled: Settlement.File, on commit: CommitOID, _ tree: Overlay.Tree) {
        guard let node = tree.nodes[NodeNumber(settled.number)], let file = node.file else {
            return nil
        }
        self.init(
            node: node, file: file,
            base: BaseFile(
                commit: commit, path: settled.path, content: settled.content, size: settled.size),
            sealedNumber: file.sealedNumber)
    }
}

/// Bytes that are at the Hub now, in a staging file nobody needs any more.
struct SettledContent: Sendable {
    /// Where the Hub has them.
    let base: BaseFile
    let store: StagingFile
    /// Whether it has all of them.
    let isWhole: Bool
}
