import HubClient

extension BaseMove {
    /// Where a path of the base is in the tree.
    enum Spot {
        /// A name in a directory that shows the base's.
        case name(OverlayNode, EntryName)
        /// Nothing is known of it, and nothing stands in front of it.
        case unknown(StaleEntry)
        /// The folder `path`, which contains it, is gone.
        case removed(path: ExactPath)
        /// Something else of ours stands at `path`, where the folder would be that contains it.
        case covered(OverlayNode, EntryName, by: OverlayNode, path: ExactPath)
    }

    static func names(_ path: String) -> [EntryName] {
        path.utf8.split(separator: UInt8(ascii: "/")).map { EntryName(Array($0)) }
    }

    static func join(_ directory: String, _ name: EntryName) -> String {
        directory.isEmpty ? name.description : directory + "/" + name.description
    }

    func redirect(of node: OverlayNode) -> String? {
        redirects[node.number] ?? node.directory?.redirect
    }

    /// Whether everything in a directory was made here.
    func showsNothing(_ node: OverlayNode) -> Bool {
        redirects[node.number].map { $0 == nil } ?? (node.directory?.lower == LowerDirectory.none)
    }

    func child(_ name: EntryName, of node: OverlayNode) -> OverlayNode? {
        if let made = madeChildren[StaleEntry(parent: node.number, name: name)] { return made }
        guard let child = node.directory?.children[name], !departed.contains(child.number) else {
            return nil
        }
        return child
    }

    func isHidden(_ name: EntryName, in node: OverlayNode) -> Bool {
        let entry = StaleEntry(parent: node.number, name: name)
        if hiddenEntries.contains(entry) { return true }
        return node.directory!.whiteouts.contains(name) && !shownEntries.contains(entry)
    }

    func isInPlace(_ node: OverlayNode, at path: String) -> Bool {
        redirect(of: node).map { ExactPath($0) == ExactPath(path) } ?? false
    }

    func locate(_ path: String) -> Spot {
        let names = Self.names(path)
        var node = root
        var here = ""
        for name in names.dropLast() {
            let below = Self.join(here, name)
            guard let child = child(name, of: node) else {
                return isHidden(name, in: node)
                    ? .removed(path: ExactPath(below))
                    : .unknown(StaleEntry(parent: node.number, name: name))
            }
            guard isInPlace(child, at: below) else {
                return .covered(node, name, by: child, path: ExactPath(below))
            }
            node = child
            here = below
        }
        return .name(node, names.last!)
    }

    /// What is known to be at a path, whatever it shows of the base.
    func object(at path: String) -> OverlayNode? {
        var node = root
        for name in Self.names(path) {
            guard node.directory != nil, let child = child(name, of: node) else { return nil }
            node = child
        }
        return node
    }

    /// Directories that show another one of the base than that of their own path, the outermost.
    func movedDirectories(below root: OverlayNode) -> [OverlayNode] {
        var moved: [OverlayNode] = []
        var left: [(node: OverlayNode, path: String)] = [(root, "")]
        while let (node, path) = left.popLast() {
            for child in node.directory!.children.values where child.directory != nil {
                let below = Self.join(path, child.name)
                if let redirect = child.directory!.redirect,
                    ExactPath(redirect) != ExactPath(below),
                    !isNatural(child, in: node)
                {
                    moved.append(child)
                }
                left.append((child, below))
            }
        }
        return moved
    }

    /// Whether a directory shows what its parent would show there anyway.
    func isNatural(_ child: OverlayNode, in parent: OverlayNode) -> Bool {
        guard let above = parent.directory?.redirect, let redirect = child.directory?.redirect
        else { return false }
        return ExactPath(redirect) == ExactPath(Self.join(above, child.name))
    }

    /// What the new base has at a path.
    enum NewKind {
        case file(ContentID, size: UInt64, modifiedNanoseconds: Int64?)
        case directory
    }

    /// What the new base has at a path, as the difference and the old listing tell.
    func newKind(
        of path: String, _ name: EntryName, in parent: OverlayNode
    ) throws(WriteBackError) -> NewKind? {
        let exact = ExactPath(path)
        if let kind = newFiles[exact]?.newKind { return kind }
        if newFolders.contains(exact) { return .directory }
        guard let listing = try overlay.listed(parent).listing,
            let index = listing.index(of: name)
        else { return nil }
        switch listing.kind(at: index) {
        case .directory: return removedFolders.contains(exact) ? nil : .directory
        case .file(let content, let size):
            let date = listing.modifiedNanoseconds(at: index)
            return goneFiles.contains(exact)
                ? nil : .file(content, size: size, modifiedNanoseconds: date)
        }
    }
}

extension TreeDifference.File {
    /// What the later commit has there; nil when it is gone.
    var newKind: BaseMove.NewKind? {
        content.map { .file($0, size: size, modifiedNanoseconds: modifiedNanoseconds) }
    }
}
