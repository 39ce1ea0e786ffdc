/// One bare repository, read through the engine's processes and caches.
///
/// Every method blocks for git; callers on an event loop or an async task go through `Blocking`.
struct GitRepository: Sendable {
    let path: String
    /// Names the repository in caches: the repo's id, since a path may be used again.
    let identity: String
    let engine: GitEngine

    // MARK: Commits

    /// The commit a revision means now.
    func commit(_ name: RevisionName) throws(GitError) -> CommitRecord? {
        if case .commit(let oid) = name, let known = cachedCommit(oid) { return known }
        return try engine.readers.with(path) { reader throws(GitError) in
            for candidate in name.candidates {
                if let found = try reader.info([candidate + "^{commit}"])[0] {
                    return try commit(found.oid, reader)
                }
            }
            return nil
        }
    }

    /// The commit of that oid, which the repository is known to hold.
    func commit(oid: String) throws(GitError) -> CommitRecord {
        if let known = cachedCommit(oid) { return known }
        return try engine.readers.with(path) { reader throws(GitError) in
            try commit(oid, reader)
        }
    }

    private func cachedCommit(_ oid: String) -> CommitRecord? {
        engine.commits[GitEngine.CommitKey(repository: identity, oid: oid)]
    }

    private func commit(_ oid: String, _ reader: ObjectReader) throws(GitError) -> CommitRecord {
        if let known = cachedCommit(oid) { return known }
        guard let bytes = try reader.contents(oid) else { throw .missing(oid) }
        let record = try CommitRecord(oid: oid, parsing: bytes)
        engine.commits.insert(GitEngine.CommitKey(repository: identity, oid: oid), record)
        return record
    }

    // MARK: Trees

    func tree(_ oid: String) throws(GitError) -> GitTree {
        if let known = engine.trees[oid] { return known }
        let bytes = try engine.readers.with(path) { reader throws(GitError) in
            try reader.contents(oid)
        }
        guard let bytes else { throw .missing(oid) }
        let tree = try GitTree(parsing: bytes)
        engine.trees.insert(oid, tree, cost: tree.entries.count + 1)
        return tree
    }

    /// Whether the repository holds a tree of that oid.
    func holdsTree(_ oid: String) throws(GitError) -> Bool {
        try engine.readers.with(path) { reader throws(GitError) in
            try reader.info([oid])[0]?.type == "tree"
        }
    }

    /// The entry at a path; the empty path is the root tree.
    func entry(_ path: String, at commit: CommitRecord) throws(GitError) -> TreeEntry? {
        var entry = TreeEntry(name: "", kind: .directory, oid: commit.tree)
        for part in path.pathParts {
            guard entry.kind.isDirectory, let next = try tree(entry.oid)[part] else {
                return nil
            }
            entry = next
        }
        return entry
    }

    /// Sizes and LFS pointers of entries, in one conversation with git.
    func describe(_ found: [PathEntry]) throws(GitError) -> [TreeItem] {
        let unknown = Set(
            found.lazy.filter { !$0.entry.kind.isDirectory }.map(\.entry.oid)
                .filter { engine.blobs[$0] == nil })
        // Results are kept here as well: the cache may be smaller than the question.
        var fresh: [String: GitEngine.BlobInfo] = [:]
        if !unknown.isEmpty { fresh = try lookUp(Array(unknown)) }
        return found.map { item in
            guard !item.entry.kind.isDirectory else {
                return TreeItem(path: item.path, entry: item.entry, size: 0, pointer: nil)
            }
            let info = fresh[item.entry.oid] ?? engine.blobs[item.entry.oid]
            return TreeItem(
                path: item.path, entry: item.entry, size: info?.size ?? 0,
                pointer: info?.pointer)
        }
    }

    private func lookUp(_ oids: [String]) throws(GitError) -> [String: GitEngine.BlobInfo] {
        try engine.readers.with(path) { reader throws(GitError) in
            var result: [String: GitEngine.BlobInfo] = [:]
            let infos = try reader.info(oids)
            let maybePointers = zip(oids, infos).compactMap { oid, info in
                (info?.size).map { $0 > 100 && $0 < LFSPointer.sizeMax } == true ? oid : nil
            }
            let texts = Dictionary(
                uniqueKeysWithValues: zip(maybePointers, try reader.contents(maybePointers)))
            for (oid, info) in zip(oids, infos) {
                guard let info else { throw .missing(oid) }
                let pointer = (texts[oid] ?? nil).flatMap(LFSPointer.init(parsing:))
                let blob = GitEngine.BlobInfo(size: info.size, pointer: pointer)
                result[oid] = blob
                engine.blobs.insert(oid, blob)
            }
            return result
        }
    }

    // MARK: Blobs

    /// A blob's bytes, kept for the next range of it.
    func contents(_ oid: String) throws(GitError) -> [UInt8] {
        if let known = engine.contents[oid] { return known }
        let bytes = try engine.readers.with(path) { reader throws(GitError) in
            try reader.contents(oid)
        }
        guard let bytes else { throw .missing(oid) }
        engine.contents.insert(oid, bytes, cost: bytes.count + 64)
        return bytes
    }

    /// A small text file's content at a commit, nil if there is none or it is large.
    func text(_ path: String, at commit: CommitRecord) throws(GitError) -> String? {
        guard let entry = try entry(path, at: commit), !entry.kind.isDirectory,
            let item = try describe([PathEntry(path: path, entry: entry)]).first,
            item.size <= 1 << 20
        else { return nil }
        return String(decoding: try contents(entry.oid), as: UTF8.self)
    }
}

/// A tree entry with its path from the root.
struct PathEntry: Sendable {
    let path: String
    let entry: TreeEntry
}

/// A tree entry with what a listing says about it.
struct TreeItem: Sendable {
    let path: String
    let entry: TreeEntry
    /// Bytes of the blob; for an LFS file those of the pointer. Zero for directories.
    let size: Int
    let pointer: LFSPointer?

    /// Bytes a reader of the file gets.
    var contentSize: Int { pointer?.size ?? size }
}
