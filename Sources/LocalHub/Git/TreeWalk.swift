/// A listing in pages: where it starts, where the previous page ended, and how far it goes.
///
/// The order is git's, each directory before what is in it. A page costs the directories on the
/// way to its first entry and those it lists; the rest of the tree is not read.
struct TreeWalk {
    /// The tree listed.
    let root: String
    /// The path of that tree in the repo, empty for the repo's root.
    let prefix: String
    let isRecursive: Bool

    private struct Level {
        let tree: GitTree
        let prefix: String
        var next: Int
    }

    enum Failure: Error {
        /// The entry the page should follow is not in the tree.
        case staleCursor
        case git(GitError)
    }

    /// - Parameter after: the last path of the previous page.
    /// - Returns: up to `limit` entries, and whether there are more.
    func page(
        in repository: GitRepository, after: String?, limit: Int
    ) throws(Failure) -> (entries: [PathEntry], hasMore: Bool) {
        var stack = try start(after: after, repository)
        var found: [PathEntry] = []
        while var level = stack.popLast() {
            guard level.next < level.tree.entries.count else { continue }
            let entry = level.tree.entries[level.next]
            level.next += 1
            stack.append(level)
            // A submodule is a commit of another repository: there is no content here to serve.
            if entry.kind == .submodule { continue }
            if found.count == limit { return (found, true) }
            let path = level.prefix.isEmpty ? entry.name : level.prefix + "/" + entry.name
            found.append(PathEntry(path: path, entry: entry))
            if isRecursive, entry.kind.isDirectory {
                stack.append(Level(tree: try load(entry.oid, repository), prefix: path, next: 0))
            }
        }
        return (found, false)
    }

    private func start(
        after: String?, _ repository: GitRepository
    ) throws(Failure) -> [Level] {
        let first = Level(tree: try load(root, repository), prefix: prefix, next: 0)
        guard let after else { return [first] }
        guard let relative = relativePath(after) else { throw .staleCursor }
        var stack: [Level] = []
        var level = first
        let parts = relative.pathParts
        for (depth, part) in parts.enumerated() {
            guard let index = level.tree.index(of: part) else { throw .staleCursor }
            let entry = level.tree.entries[index]
            level.next = index + 1
            stack.append(level)
            let isLast = depth == parts.count - 1
            guard isLast ? isRecursive && entry.kind.isDirectory : entry.kind.isDirectory else {
                if isLast { break }
                throw .staleCursor
            }
            let path = level.prefix.isEmpty ? part : level.prefix + "/" + part
            level = Level(tree: try load(entry.oid, repository), prefix: path, next: 0)
            if isLast { stack.append(level) }
        }
        return stack
    }

    private func relativePath(_ path: String) -> Substring? {
        guard !prefix.isEmpty else { return path[...] }
        let start = (prefix + "/").utf8
        guard path.utf8.starts(with: start) else { return nil }
        return path[path.utf8.index(path.startIndex, offsetBy: start.count)...]
    }

    private func load(_ oid: String, _ repository: GitRepository) throws(Failure) -> GitTree {
        do {
            return try repository.tree(oid)
        } catch {
            throw .git(error)
        }
    }
}
