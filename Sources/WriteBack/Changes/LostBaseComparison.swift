import HubClient

/// What others did since a commit that cannot be listed any more, as far as edits stand in its way.
///
/// The journal knows what the commit had below an edit, and of what was removed only the name. What
/// cannot be shown to be what it was is a conflict.
struct LostBaseComparison {
    /// Paths at which the head has something else than the journal says of the base.
    private(set) var theirs = TreeDifference()
    /// Paths that were removed here, and of which nobody can say what they were.
    private(set) var doubtful: [ConflictedPath] = []
    /// Folders that were moved here, and whose contents are nowhere any more.
    private(set) var lostFolders: [String] = []
    private let head: CommitOID
    private let source: any BaseSource
    /// The base's files that are shown, by their paths in it.
    private var shown: [ExactPath: ContentID] = [:]

    init(
        _ tree: FrozenTree, head: CommitOID, source: any BaseSource
    ) throws(PublishError) {
        self.head = head
        self.source = source
        tree.root.forEachFile { file, _ in
            if let base = file.base { shown[ExactPath(base.path)] = base.content }
        }
        try visit(tree.root, at: "", try source.listing(of: "", at: head))
    }

    private static func join(_ directory: String, _ name: EntryName) -> String {
        directory.isEmpty ? name.description : directory + "/" + name.description
    }

    /// - Parameter listing: Of the head's directory; nil when there is none.
    private mutating func visit(
        _ directory: FrozenDirectory, at path: String, _ listing: (any BaseListing)?
    ) throws(PublishError) {
        var visited: Set<EntryName> = []
        for child in directory.children {
            let below = Self.join(path, child.name)
            let entry = listing?.kind(of: child.name)
            let isHidden = directory.whiteouts.contains(child.name)
            switch child.kind {
            case .directory(let inner) where inner.isInPlace(at: below):
                visited.insert(child.name)
                try visit(inner, at: below, entry)
            case .directory(let inner):
                if !isHidden { try add(entry, at: below) }
                try visitMoved(inner, at: below)
            case .file(let file):
                if !isHidden { try visit(file, at: below, entry) }
            case .link: if !isHidden { try add(entry, at: below) }
            }
        }
        for name in directory.whiteouts.subtracting(visited) {
            visitRemoved(Self.join(path, name), listing?.kind(of: name))
        }
    }

    private mutating func visit(
        _ directory: FrozenDirectory, at path: String, _ entry: TreeEntry.Kind?
    ) throws(PublishError) {
        if case .directory? = entry {
            return try visit(directory, at: path, try source.listing(of: path, at: head))
        }
        theirs.addRemovedDirectory(path)
        try add(entry, at: path)
        try visit(directory, at: path, nil as (any BaseListing)?)
    }

    private mutating func visit(
        _ file: FrozenFile, at path: String, _ entry: TreeEntry.Kind?
    ) throws(PublishError) {
        guard let base = file.base, ExactPath(base.path) == ExactPath(path) else {
            return try add(entry, at: path)
        }
        let old = TreeDifference.Old(base.content, size: base.size)
        switch entry {
        case .file(let content, let size):
            if content != base.content {
                theirs.add(.init(path: path, content: content, size: size, old: old))
            }
        case .directory, nil:
            theirs.add(.init(path: path, content: nil, old: old))
            try add(entry, at: path)
        }
    }

    private mutating func visitRemoved(_ path: String, _ entry: TreeEntry.Kind?) {
        switch entry {
        case nil: theirs.add(.init(path: path, content: nil))
        // It has another place here, and is what it was.
        case .file(let content, _) where shown[ExactPath(path)] == content: break
        case .file: doubtful.append(ConflictedPath(path: path, theirs: .file))
        case .directory: doubtful.append(ConflictedPath(path: path, theirs: .folder))
        }
    }

    /// A directory that was moved shows what the head has at its old place, as long as that is there.
    private mutating func visitMoved(
        _ directory: FrozenDirectory, at path: String
    ) throws(PublishError) {
        if let redirect = directory.redirect, try !isFolder(redirect) {
            theirs.addRemovedDirectory(redirect)
            lostFolders.append(path)
        }
        for child in directory.children {
            if case .directory(let below) = child.kind {
                try visitMoved(below, at: Self.join(path, child.name))
            }
        }
    }

    private func isFolder(_ path: String) throws(PublishError) -> Bool {
        do throws(PublishError) {
            _ = try source.listing(of: path, at: head)
            return true
        } catch .hub(.entryNotFound) {
            return false
        }
    }

    private mutating func add(_ entry: TreeEntry.Kind?, at path: String) throws(PublishError) {
        switch entry {
        case .file(let content, let size):
            theirs.add(.init(path: path, content: content, size: size))
        case .directory: try theirs.addFolder(path, of: head, source)
        case nil: break
        }
    }
}

extension BaseListing {
    func kind(of name: EntryName) -> TreeEntry.Kind? {
        index(of: name).map { kind(at: $0) }
    }
}

extension FrozenDirectory {
    /// Shows every file in it that is recorded, with its object.
    func forEachFile(_ visit: (FrozenFile, NodeNumber) -> Void) {
        for child in children {
            switch child.kind {
            case .directory(let below): below.forEachFile(visit)
            case .file(let file): visit(file, child.number)
            case .link: break
            }
        }
    }
}
