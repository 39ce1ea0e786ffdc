import FuseBridge
import HubClient
import RepoCache

/// What the kernel has to be told after a mount went to another commit.
struct StaleNames {
    /// Names that stand for something else now, or for nothing, or for something at last.
    var entries: [(name: FileName, parent: NodeID)] = []
    /// Directories whose attributes have changed.
    var directories: [NodeID] = []
    /// How much larger the files of the directories are that were compared.
    var addedBytes: Int64 = 0
}

extension InodeTable {
    /// A directory of the commit to go to, whose listing has to be known before.
    struct Wanted {
        let tree: TreeOID
        /// Below the mounted directory.
        let path: String
    }

    enum Move {
        case needs([Wanted])
        case done(StaleNames)
    }

    /// A directory that gets another listing.
    private struct Exchange {
        let slot: Int
        let listing: DirectoryListing
        let comparison: ListingComparison
    }

    /// Goes to another commit, all at once or not at all.
    ///
    /// Compares the listings of the directories that the kernel has looked into, from the root
    /// downwards, and no others: a tree that did not change is not looked at, nor is one that nobody
    /// has seen.
    ///
    /// - Parameters:
    ///   - root: The mounted directory at that commit.
    ///   - listings: Of that commit, by tree. Those that are missing are the answer, and nothing has
    ///     changed: bring them and ask again.
    mutating func move(
        to snapshot: RepoSnapshot, root: DirectoryListing, listings: [TreeOID: DirectoryListing]
    ) -> Move {
        var wanted: [Wanted] = []
        let exchanges = compare(root, listings, &wanted)
        guard wanted.isEmpty else { return .needs(wanted) }
        var stale = StaleNames()
        let before = self.snapshot
        history.move(nanoseconds: snapshot.commitDateNanoseconds)
        if slots[1].directory == nil {
            history.changeBelow(slots[1].inodeNumber)
            stale.directories.append(.root)
        } else if exchanges.contains(where: { $0.slot == 1 }) {
            history.change(slots[1].inodeNumber)
        }
        // Orphans take their paths along while those can be found: parents come last.
        for exchange in exchanges.reversed() { carryOut(exchange, before, &stale) }
        self.snapshot = snapshot
        return .done(stale)
    }

    /// The directories that change and whose entries the kernel may know, parents first.
    private func compare(
        _ root: DirectoryListing, _ listings: [TreeOID: DirectoryListing],
        _ wanted: inout [Wanted]
    ) -> [Exchange] {
        var exchanges: [Exchange] = []
        var left = [(slot: 1, listing: root)]
        while let (slot, listing) = left.popLast() {
            guard let directory = slots[slot].directory else { continue }
            let comparison = ListingComparison(from: directory.listing, to: listing)
            if comparison.differences.isEmpty { continue }
            exchanges.append(Exchange(slot: slot, listing: listing, comparison: comparison))
            for case .changed(let old, let new) in comparison.differences {
                let child = Int(directory.children[old])
                guard child != 0, slots[child].directory != nil,
                    case .directory(let tree) = listing.kind(at: new)
                else { continue }
                if let listing = listings[tree] {
                    left.append((child, listing))
                } else {
                    let path = place(of: NodeID(UInt64(child))).path
                    wanted.append(Wanted(tree: tree, path: path))
                }
            }
        }
        return exchanges
    }

    private mutating func carryOut(
        _ exchange: Exchange, _ before: RepoSnapshot, _ stale: inout StaleNames
    ) {
        let slot = exchange.slot
        let (old, new) = (slots[slot].directory!, exchange.listing)
        let parent = NodeID(UInt64(slot))
        stale.directories.append(parent)
        stale.addedBytes &+= Int64(clamping: new.fileBytes)
        stale.addedBytes &-= Int64(clamping: old.listing.fileBytes)
        for difference in exchange.comparison.differences {
            switch difference {
            case .removed(let index):
                stale.entries.append((name(index, of: old.listing), parent))
                orphan(Int(old.children[index]), before)
                history.replace(path(index, of: old.listing, in: slot))
            case .added(let index):
                stale.entries.append((name(index, of: new), parent))
                appear(index, of: new, in: slot)
            case .changed(let oldIndex, let newIndex):
                if case .directory = old.listing.kind(at: oldIndex),
                    case .directory = new.kind(at: newIndex)
                {
                    changeDirectory(
                        Int(old.children[oldIndex]), newIndex, of: new, in: slot, &stale)
                } else {
                    stale.entries.append((name(newIndex, of: new), parent))
                    orphan(Int(old.children[oldIndex]), before)
                    history.replace(path(newIndex, of: new, in: slot))
                    appear(newIndex, of: new, in: slot)
                }
            }
        }
        exchangeListing(exchange)
    }

    /// An entry shows what the mount has not shown there before.
    private mutating func appear(_ index: Int, of listing: DirectoryListing, in slot: Int) {
        let path = path(index, of: listing, in: slot)
        if case .directory = listing.kind(at: index) {
            history.changeBelow(path)
        } else {
            history.change(path)
        }
    }

    /// A directory stays the same object. Has it a listing, that is exchanged by itself.
    private mutating func changeDirectory(
        _ child: Int, _ index: Int, of listing: DirectoryListing, in slot: Int,
        _ stale: inout StaleNames
    ) {
        let path = path(index, of: listing, in: slot)
        if child != 0, slots[child].directory != nil { return history.change(path) }
        history.changeBelow(path)
        if child != 0 { stale.directories.append(NodeID(UInt64(child))) }
    }

    /// Takes an inode out of its directory and lets it be what it is.
    private mutating func orphan(_ slot: Int, _ snapshot: RepoSnapshot) {
        guard slot != 0 else { return }
        let path = place(of: NodeID(UInt64(slot))).path
        slots[slot].orphan = Orphan(
            kind: kind(slot), moment: moment(slot), listedNanoseconds: listedNanoseconds(slot),
            place: Place(snapshot: snapshot, path: path))
        let directory = slots[Int(slots[slot].parent)].directory!
        directory.children[Int(slots[slot].index)] = 0
        directory.liveChildCount -= 1
        slots[slot].parent = Self.noParent
    }

    /// Gives a directory its new listing, and the children that stay their new places in it.
    private mutating func exchangeListing(_ exchange: Exchange) {
        let old = slots[exchange.slot].directory!
        let new = Directory(newContents(exchange.listing), moment: old.moment)
        for (index, child) in old.children.enumerated() where child != 0 {
            let place = exchange.comparison.newPlace(of: index)!
            slots[Int(child)].index = UInt32(place)
            new.children[place] = child
        }
        new.liveChildCount = old.liveChildCount
        slots[exchange.slot].directory = new
    }

    private func name(_ index: Int, of listing: DirectoryListing) -> FileName {
        FileName(bytes: listing.withName(at: index) { Array($0) })
    }
}
