import HubClient

// Each step decides about one path. What a step relies on is looked up through `child` and `redirect`,
// which know what was decided before.

extension BaseMove {
    private func entry(_ name: EntryName, in parent: OverlayNode) -> StaleEntry {
        StaleEntry(parent: parent.number, name: name)
    }

    private mutating func hide(_ name: EntryName, in parent: OverlayNode) {
        guard !isHidden(name, in: parent) else { return }
        hiddenEntries.insert(entry(name, in: parent))
        hidden.append((parent, name))
    }

    private mutating func show(_ name: EntryName, in parent: OverlayNode) {
        stale.insert(entry(name, in: parent))
        guard isHidden(name, in: parent) else { return }
        shownEntries.insert(entry(name, in: parent))
        shown.append((parent, name))
    }

    // MARK: What the other side did

    /// Lets one file of theirs show, unless something of ours is there.
    mutating func visit(_ file: TreeDifference.File) {
        switch locate(file.path) {
        case .unknown(let entry): stale.insert(entry)
        case .removed(let path): if file.content != nil { contested.insert(path) }
        case .covered(let parent, let name, let child, let path):
            visit(file, behind: child, name, in: parent, path)
        case .name(let parent, let name): visit(file, name, in: parent)
        }
    }

    private mutating func visit(
        _ file: TreeDifference.File, behind child: OverlayNode, _ name: EntryName,
        in parent: OverlayNode, _ path: ExactPath
    ) {
        guard file.content != nil else {
            removeFile(file)
            return
        }
        switch child.kind {
        // Nothing of theirs is removed for the sake of what never gets to the Hub.
        case .link: contested.insert(path)
        case .file:
            contested.insert(path)
            hide(name, in: parent)
        case .directory where showsNothing(child) && !isHidden(name, in: parent):
            // Both sides made a folder of that name: it shows what both have in it.
            redirects[child.number] = path.text
            recorded.append(child)
            stale.insert(entry(name, in: parent))
            visit(file)
        case .directory where isHidden(name, in: parent): contested.insert(ExactPath(file.path))
        case .directory:
            contested.insert(path)
            hide(name, in: parent)
        }
    }

    private mutating func visit(
        _ file: TreeDifference.File, _ name: EntryName, in parent: OverlayNode
    ) {
        let path = ExactPath(file.path)
        guard let child = child(name, of: parent) else {
            if !isHidden(name, in: parent) || file.content == nil {
                // Also when both sides have removed it.
                show(name, in: parent)
            } else {
                contested.insert(path)
            }
            return
        }
        switch child.kind {
        case .link: if file.content != nil { contested.insert(path) }
        case .directory:
            // A folder of the base that they have replaced by a file comes with the removed ones.
            if file.content == nil || isInPlace(child, at: file.path) { return }
            contested.insert(path)
            hide(name, in: parent)
        case .file(let working):
            // It has the other side's bytes already.
            if let base = working.cleanBase, base.content == file.content { return }
            guard isOriginal(working, file) else {
                contested.insert(path)
                return
            }
            if working.hasWriters {
                // Its bytes are about to become an edit of what they have replaced.
                busy.insert(path)
                contested.insert(path)
                recorded.append(child)
                return
            }
            drop(child)
            show(name, in: parent)
            if let kind = file.newKind, working.isOpen {
                succeed(child, name, in: parent, kind, at: file.path)
            }
        }
    }

    /// Takes a file away that they have removed, in a folder of our own; what we have written anew
    /// there stays.
    private mutating func removeFile(_ file: TreeDifference.File) {
        let path = ExactPath(file.path)
        guard let node = object(at: file.path), let working = node.file, let parent = node.parent
        else { return }
        guard isOriginal(working, file), !working.hasWriters else {
            contested.insert(path)
            if working.hasWriters { busy.insert(path) }
            return recorded.append(node)
        }
        drop(node)
        stale.insert(entry(node.name, in: parent))
    }

    /// Whether a file is the earlier commit's own, not edited.
    private func isOriginal(_ working: WorkingFile, _ file: TreeDifference.File) -> Bool {
        guard let base = working.cleanBase, ExactPath(base.path) == ExactPath(file.path) else {
            return false
        }
        return file.old.map { $0.content == base.content } ?? true
    }

    private mutating func drop(_ node: OverlayNode) {
        departed.insert(node.number)
        droppedNumbers.insert(node.number)
        dropped.append(node)
    }

    /// Puts the base's object in the place of one that lives on with the same `st_ino`: a program
    /// that compares what it has open with what the name shows must see that they differ.
    private mutating func succeed(
        _ old: OverlayNode, _ name: EntryName, in parent: OverlayNode, _ kind: NewKind,
        at path: String
    ) {
        guard old.inodeNumber == overlay.numbering.child(of: parent.inodeNumber, name: name),
            let number = try? overlay.journal.takeNumber()
        else { return }
        make(NodeNumber(number), kind, name, in: parent, at: path, of: newBase)
    }

    private mutating func make(
        _ number: NodeNumber, _ kind: NewKind, _ name: EntryName, in parent: OverlayNode,
        at path: String, of commit: CommitOID
    ) {
        let nodeKind: OverlayNode.Kind =
            switch kind {
            case .directory: .directory(OverlayDirectory(.base(path)))
            case .file(let content, let size, let date):
                .file(
                    WorkingFile(
                        number: number,
                        base: BaseFile(commit: commit, path: path, content: content, size: size),
                        staging: overlay.staging, modifiedNanoseconds: date))
            }
        let node = OverlayNode(
            number: number, inodeNumber: Overlay.localInodeBit | number.value, kind: nodeKind,
            parent: parent, name: name)
        made.append(node)
        madeChildren[entry(name, in: parent)] = node
        stale.insert(entry(name, in: parent))
    }

    /// Takes a folder away that they have removed; with something of ours in it, it goes on as ours.
    mutating func removeDirectory(_ path: ExactPath) {
        // Also in a folder of our own, where what we left of theirs came to be.
        guard let node = object(at: path.text), let parent = node.parent,
            let directory = node.directory, isInPlace(node, at: path.text)
        else { return }
        let name = node.name
        stale.insert(entry(name, in: parent))
        let isLeft = directory.children.values.contains {
            !droppedNumbers.contains($0.number)
        }
        guard isLeft else {
            drop(node)
            show(name, in: parent)
            return
        }
        leave(node)
        if newFiles[path] != nil {
            contested.insert(path)
            hide(name, in: parent)
        }
    }

    /// Lets a directory show what is the workspace's own, and nothing of the base.
    private mutating func leave(_ node: OverlayNode) {
        redirects[node.number] = .some(nil)
        recorded.append(node)
    }

    // MARK: Directories that were moved

    /// Lets a directory of ours show what the base had where it was moved from: its contents are ours
    /// as of the move.
    mutating func pin(
        _ file: TreeDifference.File, in moved: OverlayNode
    ) throws(WriteBackError) {
        guard let origin = moved.directory?.redirect, ExactPath(file.path) != ExactPath(origin),
            ChangeList.isAt(file.path, orBelow: origin)
        else { return }
        let rest = String(decoding: file.path.utf8.dropFirst(origin.utf8.count + 1), as: UTF8.self)
        let names = Self.names(rest)
        var node = moved
        var here = origin
        for name in names.dropLast() {
            let below = Self.join(here, name)
            if let child = child(name, of: node) {
                guard child.directory != nil,
                    child.directory?.redirect.map({ ExactPath($0) }) == ExactPath(below)
                else { return }
                node = child
            } else {
                if isHidden(name, in: node) { return }
                if addedFolders.contains(ExactPath(below)) { return hide(name, in: node) }
                make(
                    NodeNumber(try overlay.journal.takeNumber()), .directory, name, in: node,
                    at: below, of: oldBase)
                node = made.last!
            }
            here = below
        }
        try pin(file, names.last!, in: node)
    }

    private mutating func pin(
        _ file: TreeDifference.File, _ name: EntryName, in node: OverlayNode
    ) throws(WriteBackError) {
        if let child = child(name, of: node) {
            recorded.append(child)
        } else if !isHidden(name, in: node) {
            guard let old = file.old else { return hide(name, in: node) }
            let kind = NewKind.file(
                old.content, size: old.size, modifiedNanoseconds: old.modifiedNanoseconds)
            make(
                NodeNumber(try overlay.journal.takeNumber()), kind, name, in: node, at: file.path,
                of: oldBase)
        }
    }

    /// Cuts a moved directory, and what is below it, off from folders that the new base does not have.
    mutating func leaveRemoved(_ moved: OverlayNode) {
        var left = [moved]
        while let node = left.popLast() {
            if let path = node.directory?.redirect, removedFolders.contains(ExactPath(path)),
                !droppedNumbers.contains(node.number), !redirects.keys.contains(node.number)
            {
                leave(node)
            }
            left += node.directory!.children.values.filter { $0.directory != nil }
            left += made.filter { $0.parent === node && $0.directory != nil }
        }
    }

    // MARK: What is yielded

    /// Lets theirs show at a path, and sets ours aside.
    mutating func yield(_ path: ExactPath) throws(WriteBackError) {
        switch locate(path.text) {
        case .unknown, .removed: return
        case .name(let parent, let name):
            let kind = try newKind(of: path.text, name, in: parent)
            let child = child(name, of: parent)
            if let child {
                if try isBaseOwn(child, path, in: parent) { return }
                try setAside(child, path)
            }
            show(name, in: parent)
            if let child, let kind {
                succeed(child, name, in: parent, kind, at: path.text)
            }
        case .covered: try yieldBehind(path)
        }
    }

    /// Whether a name shows the base's own file, not edited.
    private func isBaseOwn(
        _ child: OverlayNode, _ path: ExactPath, in parent: OverlayNode
    ) throws(WriteBackError) -> Bool {
        guard let base = child.file?.cleanBase, !isHidden(child.name, in: parent),
            ExactPath(base.path) == path, let listing = try overlay.listed(parent).listing,
            let index = listing.index(of: child.name),
            case .file(let content, _) = listing.kind(at: index)
        else { return false }
        return content == base.content
    }

    /// Puts theirs into a folder of ours that has replaced the one of theirs.
    private mutating func yieldBehind(_ path: ExactPath) throws(WriteBackError) {
        let names = Self.names(path.text)
        var node = root
        for name in names.dropLast() {
            if let child = child(name, of: node) {
                guard child.directory != nil else { return }
                node = child
            } else {
                let number = NodeNumber(try overlay.journal.takeNumber())
                make(number, .directory, name, in: node, at: "", of: newBase)
                node = made.last!
                node.directory!.lower = .none
            }
        }
        if let child = child(names.last!, of: node) { try setAside(child, path) }
        guard let kind = newFiles[path]?.newKind else { return }
        make(
            NodeNumber(try overlay.journal.takeNumber()), kind, names.last!, in: node,
            at: path.text, of: newBase)
    }

    private mutating func setAside(_ node: OverlayNode, _ path: ExactPath) throws(WriteBackError) {
        let parent = node.parent!
        for below in node.subtree where below.file?.hasWriters == true {
            if let names = below.path {
                busy.insert(ExactPath(names.map(\.description).joined(separator: "/")))
            }
        }
        let taken = try overlay.listed(parent).listing
        let folder = path.parents.first?.text ?? ""
        let name = SetAside.name(for: node.name) { name in
            child(name, of: parent) != nil || taken?.index(of: name) != nil
                || newFiles[ExactPath(Self.join(folder, name))] != nil
        }
        stale.insert(entry(node.name, in: parent))
        stale.insert(entry(name, in: parent))
        departed.insert(node.number)
        renamed.append((node, name))
        recorded.append(node)
        asides.append(Self.join(folder, name))
        cutOff(node, at: path.text)
    }

    /// Leaves in a directory that is set aside what is the workspace's own, and nothing of the base. One
    /// that was moved shows what was moved.
    private mutating func cutOff(_ node: OverlayNode, at path: String) {
        guard let directory = node.directory else { return }
        if directory.lower != .none, !isInPlace(node, at: path) { return }
        for child in directory.children.values.sorted(by: { $0.name < $1.name }) {
            cutOff(child, at: Self.join(path, child.name))
            let isLeft =
                child.isRecorded || (child.file?.hasWriters ?? false)
                || child.directory?.children.values.contains {
                    !droppedNumbers.contains($0.number)
                } == true
            if isLeft { recorded.append(child) } else { drop(child) }
        }
        leave(node)
    }
}

extension OverlayNode {
    /// The object and all that is known below it, the deepest first.
    var subtree: [OverlayNode] {
        (directory?.children.values.flatMap(\.subtree) ?? []) + [self]
    }
}

/// The names under which our own versions stay that gave way to somebody else's.
enum SetAside {
    static let suffix = ".hubfs-ours"
    /// For the rules of what is never committed.
    static let patterns = ["*\(suffix)", "*\(suffix)-[0-9]*"]

    private static let rules = IgnoreRules(patterns: patterns)

    /// Whether a path has such a name, or is below one.
    static func isName(_ path: String) -> Bool { rules.matches(path, isDirectory: true) }

    /// `config.json.hubfs-ours`, or with the first number that is free.
    static func name(for name: EntryName, isTaken: (EntryName) -> Bool) -> EntryName {
        var count = 1
        while true {
            let ending = Array((count == 1 ? suffix : "\(suffix)-\(count)").utf8)
            var stem = Array(name.bytes.prefix(255 - ending.count))
            // Not in the middle of a character, which has four bytes at most.
            for _ in 0..<3 where stem.count < name.bytes.count {
                if String(validating: stem, as: UTF8.self) == nil { stem.removeLast() }
            }
            let found = EntryName(stem + ending)
            if !isTaken(found) { return found }
            count += 1
        }
    }
}
