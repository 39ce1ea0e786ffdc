import FuseBridge
import HubClient
import RepoCache

/// The inodes the kernel knows, each a position in the listing of its directory.
///
/// An inode keeps no name, size or identity of its own: it is an index into its parent's immutable
/// listing, so 100 000 of them cost a few megabytes.
///
/// Invariants:
/// - slot 0 is unused and slot 1 is the root, so that a node's number is its slot;
/// - an inode lives while the kernel holds it or a child of it lives;
/// - `children[i]` of a directory is the slot of the inode at index i of its listing, or 0.
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
        /// The listing of a directory, once it was needed.
        let listing: DirectoryListing?
    }

    private struct Slot {
        var parent: UInt32 = 0
        var index: UInt32 = 0
        var generation: UInt32 = 0
        var lookupCount: UInt64 = 0
        var inodeNumber: UInt64 = 0
        var directory: Directory?
    }

    private final class Directory {
        let listing: DirectoryListing
        var children: [UInt32]
        var liveChildCount = 0

        init(_ listing: DirectoryListing) {
            self.listing = listing
            children = Array(repeating: 0, count: listing.count)
        }
    }

    private var slots = [Slot(), Slot(lookupCount: 1)]
    private var freeSlots: [UInt32] = []

    init(rootInodeNumber: UInt64) {
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
            listing: slots[slot].directory?.listing)
    }

    /// The path of an inode below the mounted directory, "" for the root itself.
    func path(of id: NodeID) -> String {
        guard var slot = slot(id) else { return "" }
        var names: [String] = []
        while slot != 1 {
            let parent = Int(slots[slot].parent)
            names.append(slots[parent].directory!.listing.name(at: Int(slots[slot].index)))
            slot = parent
        }
        return names.reversed().joined(separator: "/")
    }

    /// `st_ino` of the directory that holds an inode; the root's own for the root.
    func parentInodeNumber(of id: NodeID) -> UInt64 {
        guard let slot = slot(id) else { return 0 }
        return slots[slot == 1 ? 1 : Int(slots[slot].parent)].inodeNumber
    }

    /// Gives a directory its listing; the first one stays.
    ///
    /// - Returns: the listing that counts, nil when the directory is not known.
    mutating func setListing(
        _ listing: DirectoryListing, of id: NodeID
    ) -> DirectoryListing? {
        guard let slot = slot(id) else { return nil }
        if let directory = slots[slot].directory { return directory.listing }
        slots[slot].directory = Directory(listing)
        return listing
    }

    /// `st_ino` of an entry, without making an inode of it.
    func inodeNumber(index: Int, in parent: NodeID, _ listing: DirectoryListing) -> UInt64 {
        guard let slot = slot(parent) else { return 0 }
        return listing.withName(at: index) { name in
            InodeNumbers.child(of: slots[slot].inodeNumber, name: name)
        }
    }

    /// The inode at `index` of a directory's listing, made if the kernel did not know it, with its
    /// lookup count raised by one.
    ///
    /// - Returns: nil when the directory is not known or has no listing yet.
    mutating func lookUp(index: Int, in parent: NodeID) -> Node? {
        guard let parentSlot = slot(parent), let directory = slots[parentSlot].directory else {
            return nil
        }
        var slot = Int(directory.children[index])
        if slot == 0 {
            slot = takeSlot()
            slots[slot].parent = UInt32(parentSlot)
            slots[slot].index = UInt32(index)
            slots[slot].inodeNumber = directory.listing.withName(at: index) { name in
                InodeNumbers.child(of: slots[parentSlot].inodeNumber, name: name)
            }
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

    private func slot(_ id: NodeID) -> Int? {
        guard id.number < UInt64(slots.count), id.number > 0 else { return nil }
        let slot = Int(id.number)
        return slot == 1 || slots[slot].parent != 0 ? slot : nil
    }

    private func kind(_ slot: Int) -> Node.Kind {
        if slot == 1 { return .directory(nil) }
        let parent = slots[Int(slots[slot].parent)].directory!
        switch parent.listing.kind(at: Int(slots[slot].index)) {
        case .directory(let tree): return .directory(tree)
        case .file(let content, let size): return .file(content, size: size)
        }
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
            let parent = Int(slots[slot].parent)
            let directory = slots[parent].directory!
            directory.children[Int(slots[slot].index)] = 0
            directory.liveChildCount -= 1
            let generation = slots[slot].generation + 1
            slots[slot] = Slot(generation: generation)
            freeSlots.append(UInt32(slot))
            slot = parent
        }
    }
}
