import Foundation

/// The end of a commit: the draft against the branch as it is now.
///
/// Runs under the repository's lock, so that the branch stays what it was checked to be.
struct CommitPublication {
    let target: RepoTarget
    /// The branch as the request names it, and its full ref.
    let revision: String
    let ref: String
    /// Whether the commit goes to a new pull request into the branch, which stays as it is.
    let opensPullRequest: Bool

    struct Outcome: Sendable {
        let commit: String
        /// The number of the pull request that was opened.
        let pullRequest: Int?
    }

    private var repository: GitRepository { target.repository }
    private var objects: RepoObjects { target.service.hub.objects(target.repo) }

    func publish(_ draft: consuming CommitDraft) throws -> Outcome {
        guard let header = draft.header else {
            throw Refusal.unprocessable("The commit has no header")
        }
        // Once more, since the pull request may have ended meanwhile.
        try target.requireCommit(to: ref, opensPullRequest: opensPullRequest)
        let head = try base(header.parentCommit)
        var draft = draft
        let moved = try draft.resolveMoves { try self.source($0, isLFS: $1, head) }
        try checkTwice(draft, head)
        let deleted = draft.deletions.union(moved).union(draft.leftBehind)
        for path in deleted {
            guard try repository.entry(path.text, at: head) != nil else {
                throw Refusal.nothingToDelete(path: path.text, revision: revision)
            }
        }
        try checkClashes(draft.puts.keys, deleted, head)
        let changes =
            deleted.sorted().map { CommitWriter.Change.delete(path: $0.text) }
            + (try puts(draft, head))
        let text = [header.summary, header.description ?? ""].filter { !$0.isEmpty }
        let message = CommitWriter.Message(
            author: target.caller.author, text: text.joined(separator: "\n\n"))
        let commit = try draft.writer.commit(
            parent: head.oid, message: message, changes: changes)
        return Outcome(commit: commit, pullRequest: try name(commit, after: head, header))
    }

    /// Makes the new commit the branch's, or a pull request's.
    ///
    /// - Returns: the number of a pull request opened for it.
    private func name(
        _ commit: String, after head: CommitRecord, _ header: CommitOperation.Header
    ) throws -> Int? {
        let author = target.caller.author
        let event = DiscussionEvent.Content.commit(oid: commit, subject: header.summary)
        if opensPullRequest {
            let number = try target.openPullRequest(
                .init(
                    title: String(header.summary.prefix(200)), author: author,
                    description: header.description ?? "", status: .open, target: ref),
                at: commit)
            _ = try target.registry.add(event, to: number, in: target.repo, by: author)
            return number
        }
        guard try repository.moveRef(ref, from: head.oid, to: commit) else {
            throw Refusal.branchMoved
        }
        if let number = RepoTarget.pullRequestNumber(ref),
            try target.registry.discussion(number, in: target.repo) != nil
        {
            _ = try target.registry.add(event, to: number, in: target.repo, by: author)
        }
        return nil
    }

    /// The commit to build on. A parent must be the branch's head, or for a new pull request in the
    /// branch's history; its first digits will do.
    private func base(_ parent: String?) throws -> CommitRecord {
        guard let head = try repository.commit(.ref(ref)) else {
            throw Refusal.revisionNotFound(revision)
        }
        guard let parent else { return head }
        guard isHex(parent), (7...40).contains(parent.utf8.count) else {
            throw Refusal.unprocessable("Invalid parentCommit")
        }
        if head.oid.hasPrefix(parent) { return head }
        guard opensPullRequest, let name = RevisionName(parent),
            let base = try repository.commit(name), base.oid.hasPrefix(parent),
            try repository.isAncestor(base.oid, of: head.oid)
        else { throw Refusal.branchMoved }
        return base
    }

    // MARK: Paths

    /// A path that is deleted may be put only if the deletion makes room: a folder for a file.
    private func checkTwice(_ draft: CommitDraft, _ head: CommitRecord) throws {
        for path in draft.deletions where draft.puts[path] != nil {
            guard try repository.entry(path.text, at: head)?.kind.isDirectory == true else {
                throw Refusal.unprocessable("The path \(path.text) occurs twice in the commit")
            }
        }
    }

    /// A file cannot be where a folder is, nor below a file, unless that one goes.
    private func checkClashes(
        _ paths: some Sequence<ExactText>, _ deleted: Set<ExactText>, _ head: CommitRecord
    ) throws {
        let added = Set(paths)
        for path in added.map(\.text) {
            if let entry = try repository.entry(path, at: head), entry.kind.isDirectory,
                !isDeleted(path, deleted)
            {
                throw Refusal.unprocessable("\(path) is a folder")
            }
            for folder in path.foldersAbove {
                if added.contains(ExactText(folder)) {
                    throw Refusal.unprocessable("\(folder) cannot be a file and a folder")
                }
                if let entry = try repository.entry(folder, at: head), !entry.kind.isDirectory,
                    !isDeleted(folder, deleted)
                {
                    throw Refusal.unprocessable("\(folder) is a file")
                }
            }
        }
    }

    private func isDeleted(_ path: String, _ deleted: Set<ExactText>) -> Bool {
        (path.foldersAbove + [path]).contains { deleted.contains(ExactText($0)) }
    }

    // MARK: Contents

    /// What the old path of a rename has.
    private func source(
        _ path: String, isLFS: Bool, _ head: CommitRecord
    ) throws -> CommitDraft.Content {
        guard let entry = try repository.entry(path, at: head), !entry.kind.isDirectory,
            let item = try repository.describe([PathEntry(path: path, entry: entry)]).first
        else { throw Refusal.nothingToDelete(path: path, revision: revision) }
        guard isLFS else { return .source(.blob(entry.oid)) }
        guard let pointer = item.pointer else {
            throw Refusal.unprocessable("\(path) is no LFS file")
        }
        return .lfs(oid: pointer.oid, size: pointer.size)
    }

    private func puts(
        _ draft: CommitDraft, _ head: CommitRecord
    ) throws -> [CommitWriter.Change] {
        var changes: [CommitWriter.Change] = []
        var lfsPaths: [String] = []
        for (name, content) in draft.puts.sorted(by: { $0.key < $1.key }) {
            let path = name.text
            let source: CommitWriter.Source
            switch content {
            case .source(let given):
                source = given
            case .lfs(let oid, let size):
                lfsPaths.append(path)
                let pointer = try pointer(oid, size, path)
                source = try draft.writer.blob(Array(pointer.text.utf8))
            case .moved:
                preconditionFailure("renames were resolved before")
            }
            let isExecutable = try repository.entry(path, at: head)?.kind == .executable
            changes.append(.put(path: path, source, isExecutable: isExecutable))
        }
        if let attributes = try extendedAttributes(for: lfsPaths, draft, head) {
            let source = try draft.writer.blob(Array(attributes.utf8))
            changes.append(.put(path: ".gitattributes", source, isExecutable: false))
        }
        return changes
    }

    /// - Throws: the Hub's refusal of a pointer to an object nobody uploaded.
    private func pointer(_ oid: String, _ size: Int?, _ path: String) throws -> LFSPointer {
        guard let stored = try objects.size(oid), size == nil || size == stored else {
            throw Refusal.badRequest(
                "Your push was rejected because an LFS pointer pointed to a file that does not "
                    + "exist. Offending file: - \(path)")
        }
        return LFSPointer(oid: oid, size: stored)
    }

    /// `.gitattributes` with a line for each LFS path it does not cover; nil if it covers all.
    private func extendedAttributes(
        for paths: [String], _ draft: CommitDraft, _ head: CommitRecord
    ) throws -> String? {
        guard !paths.isEmpty else { return nil }
        let isDeleted = draft.deletions.contains(ExactText(".gitattributes"))
        let text: String
        if let own = draft.attributes {
            text = own
        } else {
            text = isDeleted ? "" : try repository.text(".gitattributes", at: head) ?? ""
        }
        return GitAttributes.extend(text, for: paths)
    }
}

extension CommitDraft {
    /// Replaces renames by what the old paths have.
    ///
    /// - Returns: the old paths, which the commit deletes.
    mutating func resolveMoves(
        _ source: (_ path: String, _ isLFS: Bool) throws -> Content
    ) throws -> Set<ExactText> {
        var old: Set<ExactText> = []
        for (path, content) in puts {
            guard case .moved(let from, let isLFS) = content else { continue }
            replace(path, with: try source(from, isLFS))
            old.insert(ExactText(from))
        }
        return old
    }
}
