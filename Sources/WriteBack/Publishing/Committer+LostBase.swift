import HubClient
import Logging
import Platform

// A branch whose history was squashed does not have the commit any more that edits were made on.

extension Committer {
    /// Lets the edits stand on the branch's head, when the Hub does not have the commit any more that
    /// they were made on. Where that has something else than the edits were made on, or nobody can say,
    /// there is a conflict from then on.
    ///
    /// Only while nobody sees the tree: what the kernel knows of a lost commit cannot be compared.
    ///
    /// - Parameter wished: The branch to go to, if there is one of that name.
    /// - Returns: whether the commit was lost.
    package func leaveLostBase(for wished: String? = nil) throws(PublishError) -> Bool {
        let base = self.base
        guard try isLost(base) else { return false }
        do throws(PublishError) {
            try finishPlan()
        } catch .hub(let error) where error.isAbsence {
            // What was to be compared is lost as well. It is compared with the head instead.
            try thaw()
        }
        if self.base != base { return true }
        let (ref, head) = try presentHead(wished)
        try source.prepare(head)
        let moving = try standOnHead(head, of: ref, from: base)
        if ref != branch.name { turn(to: ref) }
        _ = try anchor(to: head)
        logger.warning(
            "the Hub does not have the commit any more that the edits were made on: they stand on the head now",
            metadata: [
                "commit": "\(base.hex)", "head": "\(head.hex)",
                "in conflict": "\(moving.contested.count)",
            ])
        return true
    }

    /// Whether the Hub says that it has no such commit.
    private func isLost(_ commit: CommitOID) throws(PublishError) -> Bool {
        do throws(PublishError) {
            if isBucket {
                // No bucket has its earlier states: what counts is that one can be listed here.
                _ = try source.listing(of: "", at: commit)
                return false
            }
            _ = try ask { client.head(repo, of: Revision(commit.hex), completion: $0) }
            return false
        } catch .hub(.revisionNotFound) {
            return true
        }
    }

    private func presentHead(
        _ wished: String?
    ) throws(PublishError) -> (ref: String, head: CommitOID) {
        for ref in [wished, branch.name].compactMap({ $0 }) {
            if let head = try head(of: ref) { return (ref, head) }
        }
        throw .noBranch(wished ?? branch.name)
    }

    private func standOnHead(
        _ head: CommitOID, of ref: String, from base: CommitOID
    ) throws(PublishError) -> Overlay.Moving {
        var theirs: TreeDifference
        var doubtful: [ConflictedPath] = []
        do throws(PublishError) {
            theirs = try TreeDifference(from: base, to: head, source: source)
        } catch .hub(let error) where error.isAbsence {
            let comparison = try LostBaseComparison(
                workspace.overlay.edits(), head: head, source: source)
            (theirs, doubtful) = (comparison.theirs, comparison.doubtful)
            for path in comparison.lostFolders {
                logger.error(
                    "what a moved folder had is neither at the Hub nor here any more",
                    metadata: ["path": "\(path)"])
            }
        }
        let known = try conflictRecord().map { $0.isMoved ? $0.paths : [] } ?? []
        return try withListings { overlay throws(WriteBackError) in
            try overlay.move(to: head, from: base, over: theirs, .always) { transaction, moving in
                var paths = known
                for path in theirs.conflicted(moving.contested) + doubtful
                where !paths.contains(where: { ExactPath($0.path) == ExactPath(path.path) }) {
                    paths.append(path)
                }
                try ConflictRecord(paths, head: head, isMoved: true).put(transaction)
                try transaction.remove(.foreign)
                if ref != branch.name { try transaction.set(.target, ref) }
            }
        }
    }

    /// Lets files take what nobody edited of them from a commit that has the same contents.
    ///
    /// - Returns: how many files took it from another one before.
    func anchor(to commit: CommitOID) throws(PublishError) -> Int {
        var listings: [ExactPath: any BaseListing] = [:]
        var found: [NodeNumber: BaseFile] = [:]
        for (number, base) in workspace.overlay.baseFiles where base.commit != commit {
            let path = ExactPath(base.path)
            let directory = path.parents.first ?? ""
            if listings[directory] == nil {
                do throws(PublishError) {
                    listings[directory] = try source.listing(of: directory.text, at: commit)
                } catch .hub(let error) where error.isAbsence {
                    continue
                }
            }
            guard case .file(base.content, _)? = listings[directory]?.kind(of: path.name) else {
                continue
            }
            found[number] = BaseFile(
                commit: commit, path: base.path, content: base.content, size: base.size)
        }
        try local { () throws(WriteBackError) in try workspace.overlay.anchor(found) }
        return found.count
    }

    /// The same after a move, if the Hub does not have the commit any more that was left. What goes
    /// wrong here is found again by the next commit.
    func anchor(to commit: CommitOID, ifLost old: CommitOID) {
        do throws(PublishError) {
            if old == commit { return }
            if try isLost(old) { _ = try anchor(to: commit) }
        } catch {
            logger.warning("whether the Hub has commit \(old.hex) still is not known: \(error)")
        }
    }

    /// Runs what needs the commit that the edits were made on, once more if all it needs can be had of
    /// the head as well.
    ///
    /// - Throws: `.baseLost` when the Hub does not have it any more.
    func usingBase<Value>(_ body: () throws(PublishError) -> Value) throws(PublishError) -> Value {
        let absence: HubError
        do throws(PublishError) {
            return try body()
        } catch .hub(let error) where error.isAbsence {
            absence = error
        }
        if let head = try head(of: branch.name), try anchor(to: head) > 0 {
            do throws(PublishError) {
                return try body()
            } catch .hub(let error) where error.isAbsence {}
        }
        let base = self.base
        throw try isLost(base) ? .baseLost(base) : .hub(absence)
    }
}

extension ExactPath {
    /// The last name of it.
    var name: EntryName {
        EntryName(Array(text.utf8.split(separator: UInt8(ascii: "/")).last ?? []))
    }
}

extension Overlay {
    /// What is below the edits of each file that is known.
    fileprivate var baseFiles: [(NodeNumber, BaseFile)] {
        tree.withLock { tree in
            tree.nodes.values.compactMap { node in node.file?.base.map { (node.number, $0) } }
        }
    }

    /// Lets files take their bytes of the base from elsewhere: the same bytes.
    fileprivate func anchor(_ files: [NodeNumber: BaseFile]) throws(WriteBackError) {
        if files.isEmpty { return }
        try tree.withLock { tree throws(WriteBackError) in
            var known: [(file: WorkingFile, base: BaseFile)] = []
            for (number, base) in files {
                guard let file = tree.nodes[number]?.file, file.base?.content == base.content
                else { continue }
                known.append((file, base))
            }
            try journal.write { transaction in
                for (file, base) in known { try transaction.setBase(base, of: file.number) }
            }
            for (file, base) in known { file.anchor(base) }
        }
    }
}

extension HubError {
    /// Whether the Hub says that there is no such commit, or not this path in it.
    var isAbsence: Bool {
        switch self {
        case .revisionNotFound, .entryNotFound: true
        default: false
        }
    }
}
