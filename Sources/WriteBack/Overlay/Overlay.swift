package import HubClient
import Platform
import SystemPackage

/// The tree of a writable mount: the base at one commit, and every change above it.
///
/// Each operation is one step: checked, written to the journal, then shown. An operation that must
/// know a directory of the base throws `.listingNeeded`; give the listing to `setListing` and try
/// again. Nothing here waits for the network.
///
/// Locks: one lock over the tree, held while a change goes to the journal (no disk flush), so that
/// the journal's order is the order programs saw.
package final class Overlay: Sendable {
    struct Tree {
        var nodes: [NodeNumber: OverlayNode] = [:]
        var baseCommit: CommitOID
        /// Inode numbers of the base's that objects keep which stand elsewhere now, or are open and
        /// have no name any more, by who keeps them: what the base shows at their old names gets
        /// another number.
        var keptNumbers: [UInt64: NodeNumber] = [:]
        /// Counts changes of names, so that a commit knows whether it holds the last one.
        var changeCount: UInt64 = 0

        var root: OverlayNode { nodes[.root]! }
    }

    let tree: Guarded<Tree>
    let journal: Journal
    let staging: Staging
    let numbering: any InodeNumbering

    /// Objects made here have this bit in their inode number; the base's never do.
    static let localInodeBit: UInt64 = 1 << 63

    init(
        contents: JournalContents, baseCommit: CommitOID, journal: Journal, staging: Staging,
        numbering: any InodeNumbering
    ) throws(WriteBackError) {
        self.journal = journal
        self.staging = staging
        self.numbering = numbering
        tree = Guarded(Tree(baseCommit: baseCommit), rank: .inodeTable)
        let root = OverlayNode(
            number: .root, inodeNumber: numbering.root,
            kind: .directory(OverlayDirectory(.base(""))), parent: nil, name: EntryName([]))
        root.lookupCount = 1
        tree.withLock { $0.nodes[.root] = root }
        restore(contents)
        // Also of a workspace that has lost its edits, or never had any, and goes on from the head.
        if !root.isRecorded || contents.baseCommit != baseCommit {
            try journal.write { transaction in
                try transaction.put(root.record)
                try transaction.set(.baseCommit, baseCommit.hex)
            }
            root.isRecorded = true
        }
    }

    /// The commit the tree is based on.
    package var baseCommit: CommitOID { tree.withLock { $0.baseCommit } }

    /// Counts changes of names.
    var changeCount: UInt64 { tree.withLock { $0.changeCount } }

    /// Objects known now, the root included.
    package var nodeCount: Int { tree.withLock { $0.nodes.count } }

    /// Files with edits that are in no commit, and the bytes of those edits.
    ///
    /// Locks: takes the tree's to list the files, then each file's.
    package var edited: (fileCount: Int, byteCount: UInt64) {
        let files = tree.withLock { $0.nodes.values.compactMap(\.file) }
        return files.reduce(into: (0, 0)) { sums, file in
            guard let bytes = file.editedBytes else { return }
            sums.fileCount += 1
            sums.byteCount += bytes
        }
    }

    /// - Returns: nil for a number the kernel should not know any more.
    package func view(_ number: NodeNumber) -> NodeView? {
        tree.withLock { $0.nodes[number].map { NodeView($0) } }
    }

    /// Finds a name, and raises its object's lookup count.
    ///
    /// - Returns: nil when there is none.
    /// - Throws: ENAMETOOLONG, where `make` would; a repo may have such a name all the same.
    package func lookUp(
        _ name: EntryName, in parent: NodeNumber
    ) throws(WriteBackError) -> NodeView? {
        try tree.withLock { tree throws(WriteBackError) in
            let directory = try tree.directory(parent)
            guard let node = try child(name, of: directory, &tree) else {
                try Self.check(name)
                return nil
            }
            node.lookupCount += 1
            return NodeView(node)
        }
    }

    /// Lowers a lookup count and frees what nobody needs any more.
    package func forget(_ number: NodeNumber, count: UInt64) {
        tree.withLock { tree in
            guard let node = tree.nodes[number], number != .root else { return }
            node.lookupCount -= min(count, node.lookupCount)
            tree.free(from: node)
        }
    }

    /// Gives a directory its listing of the base.
    ///
    /// - Parameter lower: What was listed; a listing of anything else than shows is ignored.
    package func setListing(
        _ listing: any BaseListing, of number: NodeNumber, _ lower: BaseDirectory
    ) {
        tree.withLock { tree in
            guard let directory = tree.nodes[number]?.directory,
                directory.lower.directory(on: tree.baseCommit) == lower
            else { return }
            directory.listing = listing
        }
    }

    /// A directory as it is now, for reading through.
    package func snapshot(
        of number: NodeNumber
    ) throws(WriteBackError) -> DirectorySnapshot {
        try tree.withLock { tree throws(WriteBackError) in
            let node = try tree.directory(number)
            let directory = try listed(node)
            for name in names(in: directory, of: node, whoseNumbersAreKeptBy: tree) {
                _ = try child(name, of: node, &tree)
            }
            return DirectorySnapshot(node, directory, numbering)
        }
    }

    /// `st_ino` of the directory that holds an object; the root's own for the root.
    package func parentInodeNumber(of number: NodeNumber) -> UInt64 {
        tree.withLock { tree in
            guard let node = tree.nodes[number] else { return 0 }
            return (node.parent ?? node).inodeNumber
        }
    }

    /// Opens a file. Follow with `close`.
    package func open(
        _ number: NodeNumber, forWriting: Bool
    ) throws(WriteBackError) -> WorkingFile {
        try tree.withLock { tree throws(WriteBackError) in
            guard let node = tree.nodes[number] else { throw refuse(.staleNFSFileHandle) }
            guard let file = node.file else { throw refuse(.isDirectory) }
            file.opened(forWriting: forWriting)
            return file
        }
    }

    /// Ends one use of an open file.
    package func close(_ file: WorkingFile, wasForWriting: Bool) {
        file.closed(forWriting: wasForWriting)
        tree.withLock { tree in
            if let node = tree.nodes[file.number] { tree.free(from: node) }
        }
        // Tried again with the next sync if it fails.
        try? staging.settleDiscarded()
    }

    /// Makes sure that the journal knows an object whose bytes are about to change.
    package func willEdit(_ number: NodeNumber) throws(WriteBackError) {
        try tree.withLock { tree throws(WriteBackError) in
            guard let node = tree.nodes[number] else { throw refuse(.staleNFSFileHandle) }
            if node.isLinked { try record(node) }
        }
    }
}

extension Overlay.Tree {
    /// A directory by its number.
    func directory(_ number: NodeNumber) throws(WriteBackError) -> OverlayNode {
        guard let node = nodes[number] else { throw refuse(.staleNFSFileHandle) }
        guard node.directory != nil else { throw refuse(.notDirectory) }
        return node
    }

    /// Forgets a node that neither the kernel, nor the journal, nor a child, nor a handle needs, then
    /// its parent, and so on.
    mutating func free(from start: OverlayNode) {
        var node = start
        while node.number != .root, node.lookupCount == 0, !(node.isRecorded && node.isLinked),
            node.directory?.children.isEmpty ?? true, !(node.file?.isOpen ?? false)
        {
            nodes[node.number] = nil
            if keptNumbers[node.inodeNumber] == node.number {
                keptNumbers[node.inodeNumber] = nil
            }
            guard let parent = node.parent else { return }
            if parent.directory?.children[node.name] === node {
                parent.directory?.children[node.name] = nil
            }
            node = parent
        }
    }
}

extension Overlay {
    /// The directory of a node, whose listing is known.
    func listed(_ node: OverlayNode) throws(WriteBackError) -> OverlayDirectory {
        guard let directory = node.directory else { throw refuse(.notDirectory) }
        if directory.listing == nil, directory.lower != .none {
            throw .listingNeeded(node.number, directory.lower)
        }
        return directory
    }

    /// The object of a name, made if it is the base's and not known yet.
    func child(
        _ name: EntryName, of parent: OverlayNode, _ tree: inout Tree
    ) throws(WriteBackError) -> OverlayNode? {
        if let node = parent.directory?.children[name] { return node }
        if parent.directory?.whiteouts.contains(name) == true { return nil }
        let directory = try listed(parent)
        guard let index = directory.baseIndex(of: name) else { return nil }
        let number = NodeNumber(try journal.takeNumber())
        let kind: OverlayNode.Kind
        switch directory.listing!.kind(at: index) {
        case .directory:
            kind = .directory(OverlayDirectory(directory.lower.child(name)))
        case .file(let content, let size):
            let lower = directory.lower.child(name).directory(on: tree.baseCommit)!
            let base = BaseFile(
                commit: lower.commit, path: lower.path, content: content, size: size)
            let date = directory.listing!.modifiedNanoseconds(at: index)
            kind = .file(
                WorkingFile(
                    number: number, base: base, staging: staging, modifiedNanoseconds: date))
        }
        let inodeNumber = numbering.child(of: parent.inodeNumber, name: name)
        let isKept = tree.keptNumbers[inodeNumber] != nil
        let node = OverlayNode(
            number: number,
            inodeNumber: isKept ? Self.localInodeBit | number.value : inodeNumber, kind: kind,
            parent: parent, name: name)
        // A number of its own is one the next mount has to know.
        if isKept { try record(node) }
        directory.children[name] = node
        tree.nodes[number] = node
        return node
    }

    /// Names of the base's objects whose numbers others keep.
    private func names(
        in directory: OverlayDirectory, of node: OverlayNode, whoseNumbersAreKeptBy tree: Tree
    ) -> [EntryName] {
        guard !tree.keptNumbers.isEmpty, let listing = directory.listing else { return [] }
        return (0..<listing.count).map { listing.name(at: $0) }.filter { name in
            directory.children[name] == nil && !directory.whiteouts.contains(name)
                && tree.keptNumbers[numbering.child(of: node.inodeNumber, name: name)] != nil
        }
    }

    /// Lets an object keep its number at another name, or without one.
    func keepNumber(of node: OverlayNode, _ tree: inout Tree) {
        if node.inodeNumber & Self.localInodeBit == 0 {
            tree.keptNumbers[node.inodeNumber] = node.number
        }
    }

    /// Writes a node and the directories above it to the journal, unless it is there.
    func record(_ node: OverlayNode) throws(WriteBackError) {
        let missing = unrecorded(upFrom: node)
        guard !missing.isEmpty else { return }
        try journal.write { transaction in
            for node in missing { try transaction.put(node.record) }
        }
        for node in missing { node.isRecorded = true }
    }

    /// The nodes from `node` up to the root that the journal does not know.
    func unrecorded(upFrom node: OverlayNode) -> [OverlayNode] {
        var missing: [OverlayNode] = []
        var next: OverlayNode? = node
        while let current = next {
            if !current.isRecorded { missing.append(current) }
            next = current.parent
        }
        return missing
    }
}
