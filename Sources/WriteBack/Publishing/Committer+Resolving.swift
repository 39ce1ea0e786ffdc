import HubClient
import Logging
import Platform
import SystemPackage

/// Whose version of a conflicted path stays.
package enum ConflictSide: String, Sendable {
    /// Ours goes with the next commit, over theirs.
    case ours
    /// Theirs shows; ours is set aside, and never committed under the name it has then.
    case theirs
}

/// What became of a wish to decide conflicts.
package struct Resolution: Sendable {
    /// Paths that were decided.
    package internal(set) var resolved: [String] = []
    /// Where our own versions are that gave way.
    package internal(set) var asides: [String] = []
    /// Conflicts that nobody has decided.
    package internal(set) var left: [String] = []
    /// Wished-for paths without a conflict: nothing was done then.
    package internal(set) var unknown: [String] = []
}

extension Committer {
    /// Paths that both sides changed and about which nobody has decided, as of the last commit or
    /// pull that found some.
    package func conflicts() throws(PublishError) -> [ConflictedPath] {
        try conflictRecord()?.paths ?? []
    }

    func conflictRecord() throws(PublishError) -> ConflictRecord? {
        try local { () throws(WriteBackError) in
            ConflictRecord(encoded: try workspace.journal.value(.conflicts))
        }
    }

    /// Keeps what a commit or a pull has found; the edits stay where they are.
    func note(_ record: ConflictRecord) throws(PublishError) {
        try local { () throws(WriteBackError) in
            try workspace.journal.writeDurably { try record.put($0) }
        }
    }

    /// Decides conflicts, and lets the workspace stand on the commit they are with: what others did
    /// elsewhere shows from then on. Conflicts that are not decided stay, and stay ours in the mount.
    ///
    /// - Parameter paths: From the mounted directory; a folder stands for all conflicts in it.
    /// - Throws: `.busy` when a program can write to a file that would change under it; nothing was
    ///   done then.
    package func resolve(
        _ paths: [String], for side: ConflictSide
    ) throws(PublishError) -> Resolution {
        try finishPlan()
        var resolution = Resolution()
        let record = try conflictRecord()
        let known = record?.paths ?? []
        resolution.unknown = paths.filter { path in
            !known.contains { path.isEmpty || ChangeList.isAt($0.path, orBelow: path) }
        }
        guard let record, let head = record.headCommit, resolution.unknown.isEmpty else {
            return resolution
        }
        let chosen = known.filter { conflict in
            paths.contains { $0.isEmpty || ChangeList.isAt(conflict.path, orBelow: $0) }
        }
        resolution.resolved = chosen.map(\.path)
        let moving = try usingBase { () throws(PublishError) in
            try apply(record, head, Set(chosen.map { ExactPath($0.path) }), side)
        }
        guard moving.busy.isEmpty else { throw .busy(moving.busy) }
        CrashPoint.resolved.pass()
        if let ref = record.ref { turn(to: ref) }
        observer.withLock { $0 }?.changed(moving.stale)
        resolution.asides = moving.asides
        resolution.left = try conflicts().map(\.path)
        logger.notice(
            "conflicts were decided",
            metadata: ["paths": "\(chosen.count)", "for": "\(side.rawValue)"])
        return resolution
    }

    private func apply(
        _ record: ConflictRecord, _ head: CommitOID, _ chosen: Set<ExactPath>, _ side: ConflictSide
    ) throws(PublishError) -> Overlay.Moving {
        let base = workspace.overlay.baseCommit
        let target = record.isMoved ? base : head
        try source.prepare(target)
        let theirs =
            try record.isMoved
            ? files(at: side == .theirs ? chosen : [], of: target)
            : TreeDifference(from: base, to: target, source: source)
        let known = Set(record.paths.map { ExactPath($0.path) })
        CrashPoint.resolving.pass()
        let decided = chosen.union(record.same.map { ExactPath($0) })
        return try withListings { overlay throws(WriteBackError) in
            try overlay.move(
                to: target, from: base, over: theirs, yielding: side == .theirs ? chosen : [],
                .unlessBusy
            ) { transaction, moving in
                let left = record.paths.filter { !chosen.contains(ExactPath($0.path)) }
                let more = theirs.conflicted(
                    moving.contested.filter { path in
                        let path = ExactPath(path)
                        return !([path] + path.parents).contains {
                            decided.contains($0) || known.contains($0)
                        }
                    })
                try ConflictRecord(left + more, head: target, isMoved: true).put(transaction)
                if let ref = record.ref { try transaction.set(.target, ref) }
            }
        }
    }

    /// No difference, but with the files that a commit has at these paths: what shows in the place of
    /// ours, also where a folder of ours is in front of it.
    private func files(
        at paths: Set<ExactPath>, of commit: CommitOID
    ) throws(PublishError) -> TreeDifference {
        var difference = TreeDifference()
        for path in paths {
            var folder = ""
            search: for name in BaseMove.names(path.text) {
                let listing = try source.listing(of: folder, at: commit)
                guard let index = listing.index(of: name) else { break }
                folder = BaseMove.join(folder, name)
                switch listing.kind(at: index) {
                case .directory: continue
                case .file(let content, let size):
                    if ExactPath(folder) == path {
                        difference.addSame(
                            TreeDifference.File(
                                path: folder, content: content, size: size,
                                modifiedNanoseconds: listing.modifiedNanoseconds(at: index)))
                    }
                    break search
                }
            }
        }
        return difference
    }

    /// Runs what may have to know directories of the base, and brings their listings.
    func withListings<Value>(
        _ body: (Overlay) throws(WriteBackError) -> Value
    ) throws(PublishError) -> Value {
        let overlay = workspace.overlay
        for _ in 0..<Self.listingCountMax {
            do throws(WriteBackError) {
                return try body(overlay)
            } catch {
                guard case .listingNeeded(let number, let lower) = error else {
                    throw .workspace(error)
                }
                try bringListing(of: number, lower)
            }
        }
        throw .base("there are too many directories")
    }

    /// Does what `.listingNeeded` asks for.
    func bringListing(
        of number: NodeNumber, _ lower: LowerDirectory
    ) throws(PublishError) {
        let overlay = workspace.overlay
        guard let directory = lower.directory(on: overlay.baseCommit) else { return }
        let listing = try source.listing(of: directory.path, at: directory.commit)
        overlay.setListing(listing, of: number, directory)
    }

    /// Directories that may have to be listed for one step.
    private static let listingCountMax = 100_000

    /// Lets the tree show what others did before a commit that was made on top of it. What they did at
    /// paths that are still edited is a conflict from now on.
    func absorbForeignChange() throws(PublishError) {
        let text = try local { () throws(WriteBackError) in
            try workspace.journal.value(.foreign)
        }
        guard let text else { return }
        guard let change = ForeignChange(encoded: text), let from = CommitOID(hex: change.from),
            let to = CommitOID(hex: change.to)
        else {
            throw .workspace(
                .damaged(
                    path: workspace.folder.string, reason: "the foreign change is unreadable"))
        }
        try source.prepare(from)
        var theirs = try TreeDifference(from: from, to: to, source: source)
        if let attributes = change.attributes {
            theirs.add(
                TreeDifference.File(
                    path: attributes.path,
                    content: attributes.content.flatMap { ContentID(hex: $0) },
                    size: attributes.size))
        }
        let known = try conflictRecord().map { $0.isMoved ? $0.paths : [] } ?? []
        let base = workspace.overlay.baseCommit
        let ours = change.decided(of: theirs)
        try theirs.leaveOutDirectories(
            above: Set(change.ours.map { ExactPath($0) }), thereAt: base, source)
        let moving = try withListings { overlay throws(WriteBackError) in
            try overlay.move(to: base, from: from, over: theirs, keeping: ours, .always) {
                transaction, moving in
                let more = theirs.conflicted(moving.contested).filter { !known.contains($0) }
                try ConflictRecord(known + more, head: base, isMoved: true).put(transaction)
                try transaction.remove(.foreign)
            }
        }
        observer.withLock { $0 }?.changed(moving.stale)
        anchor(to: base, ifLost: from)
        if !moving.contested.isEmpty {
            logger.warning(
                "others changed paths that are still edited here; hubfs resolve decides",
                metadata: ["paths": "\(moving.contested.prefix(5).joined(separator: ", "))"])
        }
    }
}

extension Committer {
    /// Stops a commit of paths about which nobody has decided, or sends it elsewhere.
    ///
    /// - Returns: whether the commit opens a pull request.
    func check(_ prepared: Prepared, _ request: CommitRequest) throws(PublishError) -> Bool {
        // A pull request has no pull requests.
        let opensPullRequest = request.opensPullRequest && !isOnPullRequest
        guard let record = try conflictRecord(), record.isMoved else { return opensPullRequest }
        let paths =
            prepared.files.map(\.path) + prepared.deletedFiles
            + prepared.deletedDirectories.map(\.path)
        let disputed = record.paths.map(\.path).filter { conflict in
            paths.contains {
                ChangeList.isAt($0, orBelow: conflict) || ChangeList.isAt(conflict, orBelow: $0)
            }
        }
        if disputed.isEmpty { return opensPullRequest }
        switch request.onConflict {
        case .fail, .ours, .theirs: throw .conflict(disputed)
        case .pr where isOnPullRequest: throw .conflict(disputed)
        case .pr: return true
        case .branch:
            try divertToBranch(at: workspace.overlay.baseCommit)
            return opensPullRequest
        }
    }

    /// Forgets the conflicts of edits that were given up.
    func forgetConflicts(at paths: [String]) throws(PublishError) {
        guard var record = try conflictRecord() else { return }
        let count = record.paths.count
        record.paths.removeAll { conflict in
            paths.contains { $0.isEmpty || ChangeList.isAt(conflict.path, orBelow: $0) }
        }
        if record.paths.count < count { try note(record) }
    }

    /// Forgets the conflicts that a commit has settled: those of paths that are no edits any more. What
    /// the commit itself has found is new.
    ///
    /// - Parameters:
    ///   - known: What there was before it.
    ///   - localOnly: What stayed in the workspace.
    ///   - left: What was not asked for.
    func forgetConflicts(
        _ known: ConflictRecord?, but localOnly: [LocalOnly], _ left: [Change]
    ) throws(PublishError) {
        guard var record = try conflictRecord() else { return }
        let count = record.paths.count
        let paths = record.isMoved ? localOnly.map(\.path) + left.map(\.path) : []
        let old = known?.isMoved == true || !record.isMoved ? Set(known?.paths ?? []) : []
        record.paths.removeAll { conflict in
            old.contains(conflict)
                && !paths.contains {
                    ChangeList.isAt($0, orBelow: conflict.path)
                        || ChangeList.isAt(conflict.path, orBelow: $0)
                }
        }
        if record.paths.count < count { try note(record) }
    }
}

extension ConflictPolicy {
    /// Who wins by itself.
    var side: ConflictSide? {
        switch self {
        case .ours: .ours
        case .theirs: .theirs
        case .fail, .pr, .branch: nil
        }
    }
}
