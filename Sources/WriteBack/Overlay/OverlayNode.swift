import HubClient

/// One object of the mounted tree: of the base, changed, or made here.
///
/// A base object becomes a node when the kernel looks it up; it is recorded in the journal only when
/// it is changed, or stands above something that is.
///
/// Only touched under the overlay's lock.
final class OverlayNode {
    enum Kind {
        case directory(OverlayDirectory)
        case file(WorkingFile)
        case link(target: [UInt8])
    }

    let number: NodeNumber
    let inodeNumber: UInt64
    let kind: Kind
    /// nil for the root, and for what has no name any more.
    unowned var parent: OverlayNode?
    var name: EntryName
    var metadata: LocalMetadata
    var attributes: [EntryName: [UInt8]] = [:]
    /// How many times the kernel holds it.
    var lookupCount: UInt64 = 0
    var isRecorded = false
    /// Has a name in the tree.
    var isLinked = true

    init(
        number: NodeNumber, inodeNumber: UInt64, kind: Kind, parent: OverlayNode?,
        name: EntryName, metadata: LocalMetadata = LocalMetadata()
    ) {
        self.number = number
        self.inodeNumber = inodeNumber
        self.kind = kind
        self.parent = parent
        self.name = name
        self.metadata = metadata
    }

    var directory: OverlayDirectory? {
        if case .directory(let directory) = kind { directory } else { nil }
    }

    var file: WorkingFile? {
        if case .file(let file) = kind { file } else { nil }
    }

    var record: NodeRecord {
        let recordKind: NodeRecord.Kind =
            switch kind {
            case .directory(let directory): .directory(directory.lower)
            case .file(let file): .file(file.base)
            case .link(let target): .link(target: target)
            }
        var metadata = metadata
        if let modified = file?.modifiedNanoseconds { metadata.modifiedNanoseconds = modified }
        return NodeRecord(
            number: number, parent: parent?.number, name: name, kind: recordKind,
            inodeNumber: inodeNumber, metadata: metadata)
    }

    /// The path from the mounted directory; nil for what has no name any more.
    var path: [EntryName]? {
        guard isLinked else { return nil }
        var names: [EntryName] = []
        var node = self
        while let parent = node.parent {
            names.append(node.name)
            node = parent
        }
        return names.reversed()
    }

    func isInside(_ ancestor: OverlayNode) -> Bool {
        var node: OverlayNode? = self
        while let current = node {
            if current === ancestor { return true }
            node = current.parent
        }
        return false
    }
}

/// What a directory shows: what shows through it, less the whiteouts, with its own children above.
///
/// Invariant: a child that is not the lower directory's object of that name, where that has the name,
/// has a whiteout beside it.
final class OverlayDirectory {
    /// What shows through.
    var lower: LowerDirectory
    /// That directory's listing, once it was needed.
    var listing: (any BaseListing)?
    var children: [EntryName: OverlayNode] = [:]
    var whiteouts: Set<EntryName> = []

    init(_ lower: LowerDirectory) { self.lower = lower }

    /// The base's directory that shows through, from the mounted directory; nil: none does.
    var redirect: String? { lower.redirect }

    /// Whether the base's object of that name shows, or would if the kernel asked.
    func baseIndex(of name: EntryName) -> Int? {
        guard !whiteouts.contains(name) else { return nil }
        return listing?.index(of: name)
    }

    /// Whether the base has the name, seen or not.
    func baseHas(_ name: EntryName) -> Bool { listing?.index(of: name) != nil }
}
