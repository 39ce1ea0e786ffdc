import HubClient

/// Finds what a frozen tree changes: pure but for the listings it asks for, and of those it asks only
/// for directories that were changed or moved.
///
/// A directory is in place when the base's directory of the same path shows through it. Everything
/// below one that is not is new where it is now; what the base had at its old path is gone by the
/// whiteout that was left there.
struct ChangeWalk {
    private let base: CommitOID
    private let source: any BaseSource
    private let ignore: IgnoreRules
    private let leavesOpenFiles: Bool
    private var puts: [ExactPath: Change.Kind] = [:]
    private var deletes: [ExactPath: Change.Kind] = [:]
    private var localOnly: [LocalOnly] = []
    private var detached: Set<NodeNumber> = []
    private var stuck: Set<ExactPath> = []
    private var unkept: [String] = []

    init(
        _ tree: FrozenTree, source: any BaseSource, ignore: IgnoreRules, leavesOpenFiles: Bool
    ) {
        base = tree.base
        self.source = source
        self.ignore = ignore
        self.leavesOpenFiles = leavesOpenFiles
    }

    /// - Parameter leavesOpenFiles: Files that programs can write to are listed, not committed.
    static func changes(
        of tree: FrozenTree, source: any BaseSource, ignore: IgnoreRules, leavesOpenFiles: Bool
    ) throws(PublishError) -> ChangeList {
        var walk = ChangeWalk(
            tree, source: source, ignore: ignore, leavesOpenFiles: leavesOpenFiles)
        try walk.visit(tree.root, at: "")
        return walk.list
    }

    private var list: ChangeList {
        var list = ChangeList()
        let gone = deletes.filter { (path, kind) in
            // A file is replaced by being put; a directory has to make room for it.
            if case .deleted = kind { puts[path] == nil } else { true }
        }
        list.detached = detached
        list.stuck = stuck
        list.unkept = unkept
        list.changes =
            (puts.map { Change(path: $0.key.text, kind: $0.value) }
            + gone.map { Change(path: $0.key.text, kind: $0.value) })
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        list.localOnly = localOnly.sorted {
            $0.path.utf8.lexicographicallyPrecedes($1.path.utf8)
        }
        return list
    }

    private static func join(_ directory: String, _ name: String) -> String {
        directory.isEmpty ? name : directory + "/" + name
    }

    private func file(
        _ listing: any BaseListing, _ index: Int, at path: String, of commit: CommitOID
    ) -> BaseFile? {
        guard case .file(let content, let size) = listing.kind(at: index) else { return nil }
        return BaseFile(commit: commit, path: path, content: content, size: size)
    }

    /// - Returns: whether anything in the directory is at the Hub, or will be.
    @discardableResult
    private mutating func visit(
        _ directory: FrozenDirectory, at path: String
    ) throws(PublishError) -> Bool {
        let isInPlace = directory.isInPlace(at: path)
        let needsListing =
            isInPlace
            && !(directory.whiteouts.isEmpty && directory.children.allSatisfy(\.isDirectory))
        let listing = needsListing ? try source.listing(of: path, at: base) : nil
        var isKept = false
        if let listing { try visitWhiteouts(of: directory, listing, at: path) }
        if !isInPlace, let lower = directory.lower.directory(on: base) {
            isKept = try move(directory, from: lower, to: path) || isKept
        }
        for child in directory.children {
            if try visit(child, in: directory, listing, at: path) { isKept = true }
        }
        guard isInPlace, !isKept else { return isKept }
        return try self.listing(listing, of: path).hasMore(than: directory)
    }

    private func listing(
        _ known: (any BaseListing)?, of path: String
    ) throws(PublishError) -> any BaseListing {
        if let known { return known }
        return try source.listing(of: path, at: base)
    }

    /// Deletes what the base has under names that are gone.
    private mutating func visitWhiteouts(
        of directory: FrozenDirectory, _ listing: any BaseListing, at path: String
    ) throws(PublishError) {
        for name in directory.whiteouts {
            guard let index = listing.index(of: name) else { continue }
            let gone = Self.join(path, name.description)
            switch listing.kind(at: index) {
            case .file:
                deletes[ExactPath(gone)] = .deleted(file(listing, index, at: gone, of: base)!)
            case .directory(let oid):
                let replacement = directory.children.first { $0.name == name }
                // It was renamed and came back: it is visited as what it is.
                if case .directory(let below)? = replacement?.kind, below.isInPlace(at: gone) {
                    continue
                }
                if case .directory(let below)? = replacement?.kind {
                    try deleteFiles(
                        under: gone,
                        replacedBy: Replacement(directory: below, lower: below.lower))
                } else {
                    deletes[ExactPath(gone)] = .deletedDirectory(oid)
                }
            }
        }
    }

    /// A directory that stands where the base has another.
    private struct Replacement {
        /// nil where nothing was changed.
        let directory: FrozenDirectory?
        /// What shows through it.
        let lower: LowerDirectory
    }

    /// Some paths of a directory that another replaced may be there again, and no path may be named
    /// twice in a commit: its files are deleted one by one. A directory in it that is none any more is
    /// deleted as one, and makes room for a file.
    private mutating func deleteFiles(
        under path: String, replacedBy replacement: Replacement
    ) throws(PublishError) {
        let listing = try source.listing(of: path, at: base)
        for index in 0..<listing.count {
            let name = listing.name(at: index)
            let below = Self.join(path, name.description)
            switch listing.kind(at: index) {
            case .file:
                deletes[ExactPath(below)] = .deleted(file(listing, index, at: below, of: base)!)
            case .directory(let oid):
                if let next = try directory(name, in: replacement) {
                    try deleteFiles(under: below, replacedBy: next)
                } else {
                    deletes[ExactPath(below)] = .deletedDirectory(oid)
                }
            }
        }
    }

    /// - Returns: nil when the name is none of a directory.
    private func directory(
        _ name: EntryName, in replacement: Replacement
    ) throws(PublishError) -> Replacement? {
        if let child = replacement.directory?.children.first(where: { $0.name == name }) {
            guard case .directory(let below) = child.kind else { return nil }
            return Replacement(directory: below, lower: below.lower)
        }
        guard let lower = replacement.lower.directory(on: base),
            replacement.directory?.whiteouts.contains(name) != true
        else { return nil }
        let listing = try source.listing(of: lower.path, at: lower.commit)
        guard let index = listing.index(of: name), case .directory = listing.kind(at: index) else {
            return nil
        }
        return Replacement(directory: nil, lower: replacement.lower.child(name))
    }

    /// Shows the files of a moved directory at their new paths.
    ///
    /// - Returns: whether there were any.
    private mutating func move(
        _ directory: FrozenDirectory, from old: BaseDirectory, to new: String
    ) throws(PublishError) -> Bool {
        let hidden = directory.whiteouts.union(directory.children.map(\.name))
        return try move(from: old, to: new, hiding: hidden)
    }

    private mutating func move(
        from old: BaseDirectory, to new: String, hiding hidden: Set<EntryName>
    ) throws(PublishError) -> Bool {
        let listing = try source.listing(of: old.path, at: old.commit)
        var isKept = false
        for index in 0..<listing.count {
            let name = listing.name(at: index)
            if hidden.contains(name) { continue }
            let from = BaseDirectory(
                commit: old.commit, path: Self.join(old.path, name.description))
            let to = Self.join(new, name.description)
            if let file = file(listing, index, at: from.path, of: from.commit) {
                if let obstacle = PublishableName.obstacle(path: to) {
                    localOnly.append(LocalOnly(path: to, reason: .unpublishable(obstacle)))
                    unkept.append(to)
                    continue
                }
                puts[ExactPath(to)] = .moved(
                    file, modifiedNanoseconds: listing.modifiedNanoseconds(at: index))
                isKept = true
            } else if try move(from: from, to: to, hiding: []) {
                isKept = true
            }
        }
        return isKept
    }

    /// - Returns: whether the child is at the Hub, or will be.
    private mutating func visit(
        _ child: FrozenChild, in directory: FrozenDirectory, _ listing: (any BaseListing)?,
        at parentPath: String
    ) throws(PublishError) -> Bool {
        let path = Self.join(parentPath, child.name.description)
        if let obstacle = PublishableName.obstacle(child.name)
            ?? PublishableName.obstacle(path: path)
        {
            let isIgnored = ignore.matches(path, isDirectory: child.isDirectory)
            localOnly.append(
                LocalOnly(
                    path: path,
                    reason: isIgnored ? Self.ignored(path) : .unpublishable(obstacle)))
            keep(child.kind, at: path)
            return false
        }
        switch child.kind {
        case .link:
            localOnly.append(LocalOnly(path: path, reason: .symbolicLink))
            return false
        case .directory(let below):
            if !below.isInPlace(at: path), ignore.matches(path, isDirectory: true) {
                localOnly.append(LocalOnly(path: path, reason: Self.ignored(path)))
                detach(below)
                return false
            }
            let isKept = try visit(below, at: path)
            if !isKept { localOnly.append(LocalOnly(path: path, reason: .emptyDirectory)) }
            return isKept
        case .file(let frozen):
            let original = listing.flatMap { listing in
                listing.index(of: child.name).flatMap { file(listing, $0, at: path, of: base) }
            }
            return visit(frozen, child.number, at: path, original)
        }
    }

    private static func ignored(_ path: String) -> LocalOnly.Reason {
        SetAside.isName(path) ? .setAside : .ignored
    }

    /// Lets stay in the workspace, with all that is in it, what has a name that cannot be published.
    private mutating func keep(_ kind: FrozenChild.Kind, at path: String) {
        guard case .directory(let directory) = kind else { return }
        if directory.isInPlace(at: path) {
            stuck.insert(ExactPath(path))
        } else {
            detach(directory)
        }
    }

    /// Lets a directory go on showing what it shows when the Hub has that no more. A file names its
    /// commit anyway.
    private mutating func detach(_ directory: FrozenDirectory) {
        if directory.lower != .none { detached.insert(directory.number) }
        for child in directory.children {
            if case .directory(let below) = child.kind { detach(below) }
        }
    }

    private mutating func visit(
        _ frozen: FrozenFile, _ number: NodeNumber, at path: String, _ original: BaseFile?
    ) -> Bool {
        if let original {
            if !frozen.isEdited, frozen.base?.content == original.content {
                // Also a file that was renamed and came back.
                deletes[ExactPath(path)] = nil
                return true
            }
            if leavesOpenFiles, frozen.hasWriters {
                localOnly.append(LocalOnly(path: path, reason: .openForWriting))
                deletes[ExactPath(path)] = nil
                return true
            }
            puts[ExactPath(path)] = .modified(frozen, number, replaces: original)
            return true
        }
        if ignore.matches(path, isDirectory: false) {
            localOnly.append(LocalOnly(path: path, reason: Self.ignored(path)))
            return false
        }
        if leavesOpenFiles, frozen.hasWriters {
            localOnly.append(LocalOnly(path: path, reason: .openForWriting))
            return false
        }
        puts[ExactPath(path)] = .added(frozen, number)
        return true
    }
}

extension BaseListing {
    /// Whether the base shows something in a directory that is neither changed nor gone there.
    fileprivate func hasMore(than directory: FrozenDirectory) -> Bool {
        let changed = directory.whiteouts.union(directory.children.map(\.name))
        return (0..<count).contains { !changed.contains(name(at: $0)) }
    }
}

extension FrozenChild {
    var isDirectory: Bool {
        if case .directory = kind { true } else { false }
    }
}
