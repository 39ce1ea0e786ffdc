import HubClient
import Platform

extension Overlay {
    /// Stands on the commit that was made of a frozen tree. What was edited since the freeze stays
    /// an edit; the rest is the base's now. Nodes keep their numbers: no handle and no cached entry
    /// of the kernel notices.
    ///
    /// - Returns: the staging files that hold committed bytes and are no layer's any more, by
    ///   content: to be given to the cache, then discarded.
    func settle(
        _ settlement: Settlement, on commit: CommitOID
    ) throws(WriteBackError) -> [SettledContent] {
        try tree.withLock { tree throws(WriteBackError) in
            let moves = Moves(settlement)
            let directories = Dictionary(
                uniqueKeysWithValues: settlement.directories.map { (NodeNumber($0.number), $0) })
            var settled: [SettledContent] = []
            do {
                try journal.writeDurably { transaction in
                    for node in tree.nodes.values {
                        guard let directory = node.directory else { continue }
                        try Self.settle(
                            node, directory, directories[node.number], moves, transaction)
                    }
                    for file in settlement.files {
                        guard let node = tree.nodes[NodeNumber(file.number)],
                            let content = ContentID(hex: file.content)
                        else { continue }
                        let base = BaseFile(
                            commit: commit, path: file.path, content: content, size: file.size)
                        if let store = try node.file?.settle(on: base, transaction) {
                            settled.append(SettledContent(base: base, store: store))
                        }
                        if node.isLinked { try transaction.put(node.record) }
                    }
                    try transaction.set(.baseCommit, commit.hex)
                    try transaction.remove(.plan)
                }
            }
            tree.baseCommit = commit
            return settled
        }
    }

    private static func settle(
        _ node: OverlayNode, _ directory: OverlayDirectory, _ frozen: Settlement.Directory?,
        _ moves: Moves, _ transaction: borrowing JournalTransaction
    ) throws {
        directory.listing = nil
        guard let frozen else {
            let redirect = directory.redirect.map { moves.newPath(of: $0) }
            if redirect != directory.redirect {
                directory.redirect = redirect
                if node.isRecorded { try transaction.put(node.record) }
            }
            return
        }
        let gone = Set(frozen.whiteouts.map { EntryName($0) })
        var whiteouts = directory.whiteouts.subtracting(gone)
        for child in frozen.children
        where directory.children[EntryName(child.name)]?.number.value != child.number {
            whiteouts.insert(EntryName(child.name))
        }
        for name in directory.whiteouts.subtracting(whiteouts) {
            try transaction.removeWhiteout(name, in: node.number)
        }
        for name in whiteouts.subtracting(directory.whiteouts) where node.isLinked {
            try transaction.putWhiteout(name, in: node.number)
        }
        directory.whiteouts = whiteouts
        directory.redirect = frozen.isHeld ? frozen.redirect : frozen.path
        if node.isLinked { try transaction.put(node.record) }
    }

    /// Where the commit has the directories that were moved with everything in them.
    private struct Moves {
        /// By the base's path, the longest first.
        private let moves: [(old: String, new: String)]

        init(_ settlement: Settlement) {
            moves = settlement.directories.compactMap { directory in
                guard let old = directory.redirect, let new = directory.path else { return nil }
                return (old, new)
            }.sorted { $0.old.utf8.count > $1.old.utf8.count }
        }

        func newPath(of path: String) -> String {
            for move in moves {
                if path == move.old { return move.new }
                let prefix = move.old.isEmpty ? "" : move.old + "/"
                if path.utf8.starts(with: prefix.utf8) {
                    let rest = String(
                        decoding: Array(path.utf8.dropFirst(prefix.utf8.count)), as: UTF8.self)
                    return move.new.isEmpty ? rest : move.new + "/" + rest
                }
            }
            return path
        }
    }
}

/// Bytes that are at the Hub now, in a staging file nobody needs any more.
struct SettledContent: Sendable {
    /// Where the Hub has them.
    let base: BaseFile
    let store: StagingFile
}
