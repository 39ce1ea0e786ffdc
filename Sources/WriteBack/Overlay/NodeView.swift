import HubClient

/// What the overlay tells of one object; a value, valid after the lock is gone.
package struct NodeView: Sendable {
    package enum Kind: Sendable {
        /// The tree oid is nil for what differs from the base, or may.
        case directory
        case file(WorkingFile)
        case link(target: [UInt8])
    }

    package let number: NodeNumber
    package let inodeNumber: UInt64
    package let kind: Kind
    package let metadata: LocalMetadata
    /// 0 for what was removed while it is open.
    package let linkCount: UInt32

    init(_ node: OverlayNode) {
        number = node.number
        inodeNumber = node.inodeNumber
        metadata = node.metadata
        linkCount = node.isLinked ? 1 : 0
        kind =
            switch node.kind {
            case .directory: .directory
            case .file(let file): .file(file)
            case .link(let target): .link(target: target)
            }
    }

    /// When the object was last changed; nil: as the base, which does not tell it of each.
    package var modifiedNanoseconds: Int64? {
        if case .file(let file) = kind, let time = file.modifiedNanoseconds { return time }
        return metadata.modifiedNanoseconds
    }

    package var file: WorkingFile? {
        if case .file(let file) = kind { file } else { nil }
    }
}

/// What kind of object a directory entry names.
package enum EntryKind: Sendable {
    case directory
    case file
    case link
}

/// A directory at one moment, for one opendir: later changes do not show in it.
package struct DirectorySnapshot: Sendable {
    package struct Entry: Sendable {
        package let name: EntryName
        package let kind: EntryKind
        package let inodeNumber: UInt64
    }

    private let listing: (any BaseListing)?
    private let hidden: Set<EntryName>
    /// What is not the base's, sorted by name.
    private let own: [Entry]
    /// Inode number of the directory itself: those of base entries follow from it.
    private let inodeNumber: UInt64
    private let numbering: any InodeNumbering
    /// Numbers of objects that stand for the base's own under another one.
    private let renumbered: [EntryName: UInt64]

    init(_ node: OverlayNode, _ directory: OverlayDirectory, _ numbering: any InodeNumbering) {
        listing = directory.listing
        hidden = directory.whiteouts
        inodeNumber = node.inodeNumber
        self.numbering = numbering
        var renumbered: [EntryName: UInt64] = [:]
        for child in directory.children.values
        where child.inodeNumber != numbering.child(of: node.inodeNumber, name: child.name) {
            renumbered[child.name] = child.inodeNumber
        }
        self.renumbered = renumbered
        own = directory.children.values.filter { directory.baseIndex(of: $0.name) == nil }.map {
            let kind: EntryKind =
                switch $0.kind {
                case .directory: .directory
                case .file: .file
                case .link: .link
                }
            return Entry(name: $0.name, kind: kind, inodeNumber: $0.inodeNumber)
        }.sorted { $0.name < $1.name }
    }

    /// Number of places; some may be empty.
    package var count: Int { (listing?.count ?? 0) + own.count }

    /// The entry at a place, nil where a name of the base is gone.
    package func entry(at place: Int) -> Entry? {
        guard let listing, place < listing.count else {
            return own[place - (listing?.count ?? 0)]
        }
        let name = listing.name(at: place)
        if hidden.contains(name) { return nil }
        let kind: EntryKind =
            switch listing.kind(at: place) {
            case .directory: .directory
            case .file: .file
            }
        return Entry(
            name: name, kind: kind,
            inodeNumber: renumbered[name] ?? numbering.child(of: inodeNumber, name: name))
    }
}
