import FuseBridge
import HubClient
import RepoCache

/// The inodes the kernel knows, each a position in the listing of its directory.
///
/// An inode keeps no name, size or identity of its own: it is an index into its parent's immutable
/// listing, so 100 000 of them cost a few megabytes. When the mount goes to another commit, the
/// listings are exchanged (`InodeTable+Moving.swift`), and an inode whose path shows something else then
/// becomes an orphan: it keeps what it was, for those who have it open.
///
/// Invariants:
/// - slot 0 is unused and slot 1 is the root, so that a node's number is its slot;
/// - an inode lives while the kernel holds it or a child of it lives;
/// - `children[i]` of a directory is the slot of the inode at index i of its listing, or 0;
/// - the directories that are no orphans nor below one have the listings of `snapshot`.
struct InodeTable {
    /// What the table knows of one inode; a value, valid after the lock is gone.
    struct Node {
        enum Kind {
            /// The tree is nil for the mounted directory itself, which the commit identifies.
            case directory(TreeOID?)
            case file(ContentID, size: UInt64)
        }

        let id: NodeID
        let generation: UInt64
        let inodeNumber: UInt64
        let kind: Kind
        /// Since 1970.
        let modifiedNanoseconds: Int64
    }

    /// Where the bytes of an inode, or its entries, are to be had.
    struct Place {
        let snapshot: RepoSnapshot
        /// Below the mounted directory, "" for that itself.
        let path: String
    }

    /// What a directory holds.
    struct Contents {
        let listing: DirectoryListing
        /// Another one after each exchange of a listing.
        let version: UInt64
    }

    /// What became of a listing that was brought.
    enum Acceptance {
        /// What the directory holds; the first listing of a commit stays.
        case contents(Contents)
        /// The directory has another tree by now.
        case outdated
        case unknownNode
    }

    /// What a name stands for.
    enum Found {
        case node(Node)
        case absent
        /// The directory's listing must be brought first.
        case unlisted
        case notDirectory
        case unknownNode
    }

    struct Slot {
        /// `noParent` for an orphan; 0 for a slot that is free.
        var parent: UInt32 = 0
        var index: UInt32 = 0
        var generation: UInt32 = 0
        var lookupCount: UInt64 = 0
        var inodeNumber: UInt64 = 0
        var directory: Directory?
        var orphan: Orphan?
    }

    final class Directory {
        let contents: Contents
        /// When the entries changed of which nothing else is known.
        let moment: PathHistory.Moment
        var children: [UInt32]
        var liveChildCount = 0

        var listing: DirectoryListing { contents.listing }

        init(_ contents: Contents, moment: PathHistory.Moment) {
            self.contents = contents
            self.moment = moment
            children = Array(repeating: 0, count: contents.listing.count)
        }
    }

    /// What an inode goes on being whose path shows something else, or nothing.
    final class Orphan {
        let kind: Node.Kind
        let moment: PathHistory.Moment
        /// The date that it was listed with.
        let listedNanoseconds: Int64?
        let place: Place

        init(
            kind: Node.Kind, moment: PathHistory.Moment, listedNanoseconds: Int64?, place: Place
        ) {
            self.kind = kind
            self.moment = moment
            self.listedNanoseconds = listedNanoseconds
            self.place = place
        }
    }

    static let noParent = UInt32.max

    var slots = [Slot(), Slot(lookupCount: 1)]
    private var freeSlots: [UInt32] = []
    private var lastVersion: UInt64 = 0
    var history: PathHistory
    /// The commit that is shown.
    var snapshot: RepoSnapshot

    init(rootInodeNumber: UInt64, snapshot: RepoSnapshot) {
        self.snapshot = snapshot
        history = PathHistory(nanoseconds: snapshot.commitDateNanoseconds)
        slots[1].inodeNumber = rootInodeNumber
    }

    /// Inodes that live now, the root included.
    var count: Int { slots.count - 1 - freeSlots.count }

    /// - Returns: nil for a number the kernel should not know any more.
    func node(_ id: NodeID) -> Node? {
        guard let slot = slot(id) else { return nil }
        return Node(
            id: id, generation: UInt64(slots[slot].generation),
            inodeNumber: slots[slot].inodeNumber, kind: kind(slot),
            modifiedNanoseconds: listedNanoseconds(slot) ?? moment(slot).nanoseconds)
    }

    /// The path of an inode below the mounted directory, "" for the root itself, and the commit that
    /// has it there.
    func place(of id: NodeID) -> Place {
        guard var slot = slot(id) else { return Place(snapshot: snapshot, path: "") }
        var names: [String] = []
        var snapshot = self.snapshot
        while slot != 1 {
            if let orphan = slots[slot].orphan {
                snapshot = orphan.place.snapshot
                names.append(orphan.place.path)
                break
            }
            let parent = Int(slots[slot].parent)
            names.append(slots[parent].directory!.listing.name(at: Int(slots[slot].index)))
            slot = parent
        }
        return Place(snapshot: snapshot, path: names.reversed().joined(separator: "/"))
    }

    /// `st_ino` of the directory that holds an inode; the root's own for the root.
    func parentInodeNumber(of id: NodeID) -> UInt64 {
        guard let slot = slot(id) else { return 0 }
        let hasParent = slot != 1 && slots[slot].orphan == nil
        return slots[hasParent ? Int(slots[slot].parent) : 1].inodeNumber
    }

    /// What a directory holds; nil when it is not known, or its listing was never needed.
    func contents(of id: NodeID) -> Contents? {
        slot(id).flatMap { slots[$0].directory?.contents }
    }

    /// Gives a directory its listing; the first one stays.
    ///
    /// - Parameters:
    ///   - tree: What was listed, from `Node.Kind`.
    ///   - commit: Of `place`, where that is nil.
    mutating func setListing(
        _ listing: DirectoryListing, of id: NodeID, tree: TreeOID?, at commit: CommitOID
    ) -> Acceptance {
        guard let slot = slot(id) else { return .unknownNode }
        guard isCurrent(slot, tree, commit) else { return .outdated }
        if let directory = slots[slot].directory { return .contents(directory.contents) }
        let directory = Directory(newContents(listing), moment: momentBelow(slot))
        slots[slot].directory = directory
        return .contents(directory.contents)
    }

    /// `st_ino` of an entry, without making an inode of it.
    func inodeNumber(index: Int, in parent: NodeID, _ listing: DirectoryListing) -> UInt64 {
        guard let slot = slot(parent) else { return 0 }
        return history.number(of: path(index, of: listing, in: slot))
    }

    /// The inode that a name in a directory stands for, made if the kernel did not know it, with its
    /// lookup count raised by one.
    mutating func lookUp(_ name: FileName, in parent: NodeID) -> Found {
        guard let slot = slot(parent) else { return .unknownNode }
        guard case .directory = kind(slot) else { return .notDirectory }
        guard let directory = slots[slot].directory else { return .unlisted }
        let index = name.bytes.withUnsafeBytes { directory.listing.index(ofName: $0) }
        guard let index, let node = lookUp(index: index, in: parent) else { return .absent }
        return .node(node)
    }

    /// The inode at `index` of a directory's listing, likewise.
    ///
    /// - Parameter version: The listing that the index is of; nil for the present one.
    /// - Returns: nil when the directory is not known or has another listing.
    mutating func lookUp(index: Int, in parent: NodeID, version: UInt64? = nil) -> Node? {
        guard let parentSlot = slot(parent), let directory = slots[parentSlot].directory,
            version ?? directory.contents.version == directory.contents.version
        else { return nil }
        var slot = Int(directory.children[index])
        if slot == 0 {
            slot = takeSlot()
            slots[slot].parent = UInt32(parentSlot)
            slots[slot].index = UInt32(index)
            slots[slot].inodeNumber = history.number(
                of: path(index, of: directory.listing, in: parentSlot))
            directory.children[index] = UInt32(slot)
            directory.liveChildCount += 1
        }
        slots[slot].lookupCount += 1
        return node(NodeID(UInt64(slot)))
    }

    /// Lowers a lookup count and frees what nobody holds any more.
    mutating func forget(_ id: NodeID, count: UInt64) {
        guard let slot = slot(id), slot != 1 else { return }
        slots[slot].lookupCount -= min(count, slots[slot].lookupCount)
        free(from: slot)
    }

    /// The inodes the kernel knows that hold `content`. Walks the whole table: for rare events.
    func nodes(holding content: ContentID) -> [NodeID] {
        slots.indices.dropFirst(2).compactMap { slot in
            guard slots[slot].parent != 0, case .file(content, _) = kind(slot) else { return nil }
            return NodeID(UInt64(slot))
        }
    }
}

extension InodeTable {
    private func slot(_ id: NodeID) -> Int? {
        guard id.number < UInt64(slots.count), id.number > 0 else { return nil }
        let slot = Int(id.number)
        return slot == 1 || slots[slot].parent != 0 ? slot : nil
    }

    func kind(_ slot: Int) -> Node.Kind {
        if slot == 1 { return .directory(nil) }
        if let orphan = slots[slot].orphan { return orphan.kind }
        let parent = slots[Int(slots[slot].parent)].directory!
        return Node.Kind(parent.listing.kind(at: Int(slots[slot].index)))
    }

    /// The date that an inode is listed with: files of buckets have one.
    func listedNanoseconds(_ slot: Int) -> Int64? {
        if slot == 1 { return nil }
        if let orphan = slots[slot].orphan { return orphan.listedNanoseconds }
        let parent = slots[Int(slots[slot].parent)].directory!
        return parent.listing.modifiedNanoseconds(at: Int(slots[slot].index))
    }

    /// When an inode last changed that is listed without a date.
    func moment(_ slot: Int) -> PathHistory.Moment {
        if slot == 1 { return history.moment(of: slots[1].inodeNumber, in: history.first) }
        if let orphan = slots[slot].orphan { return orphan.moment }
        let (path, directory) = pathAndDirectory(of: slot)
        return history.moment(of: path, in: directory.moment)
    }

    /// When the entries of a directory changed of which nothing else is known.
    private func momentBelow(_ slot: Int) -> PathHistory.Moment {
        if slot == 1 { return history.momentBelow(slots[1].inodeNumber, in: history.first) }
        if let orphan = slots[slot].orphan { return orphan.moment }
        let (path, directory) = pathAndDirectory(of: slot)
        return history.momentBelow(path, in: directory.moment)
    }

    private func pathAndDirectory(of slot: Int) -> (UInt64, Directory) {
        let parent = Int(slots[slot].parent)
        let directory = slots[parent].directory!
        return (path(Int(slots[slot].index), of: directory.listing, in: parent), directory)
    }

    /// What `PathHistory` knows an entry by.
    func path(_ index: Int, of listing: DirectoryListing, in parentSlot: Int) -> UInt64 {
        listing.withName(at: index) { name in
            InodeNumbers.child(of: slots[parentSlot].inodeNumber, name: name)
        }
    }

    private func isCurrent(_ slot: Int, _ tree: TreeOID?, _ commit: CommitOID) -> Bool {
        guard case .directory(let current) = kind(slot), current == tree else { return false }
        return tree != nil || snapshot.commit == commit
    }

    mutating func newContents(_ listing: DirectoryListing) -> Contents {
        lastVersion += 1
        return Contents(listing: listing, version: lastVersion)
    }

    private mutating func takeSlot() -> Int {
        if let free = freeSlots.popLast() { return Int(free) }
        slots.append(Slot())
        return slots.count - 1
    }

    /// Frees `slot` if nothing holds it, then its parent if that was the last child, and so on.
    private mutating func free(from start: Int) {
        var slot = start
        while slot != 1, slots[slot].lookupCount == 0,
            (slots[slot].directory?.liveChildCount ?? 0) == 0
        {
            let parent = slots[slot].parent
            if parent != Self.noParent {
                let directory = slots[Int(parent)].directory!
                directory.children[Int(slots[slot].index)] = 0
                directory.liveChildCount -= 1
            }
            slots[slot] = Slot(generation: slots[slot].generation + 1)
            freeSlots.append(UInt32(slot))
            if parent == Self.noParent { return }
            slot = Int(parent)
        }
    }
}

extension InodeTable.Node.Kind {
    init(_ kind: TreeEntry.Kind) {
        switch kind {
        case .directory(let tree): self = .directory(tree)
        case .file(let content, let size): self = .file(content, size: size)
        }
    }
}
