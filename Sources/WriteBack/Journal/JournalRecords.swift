package import HubClient

/// An object of the tree that differs from the base, or stands above one that does.
package struct NodeRecord: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// With what shows through it.
        case directory(LowerDirectory)
        case file(BaseFile?)
        case link(target: [UInt8])
    }

    package var number: NodeNumber
    /// nil for the root.
    package var parent: NodeNumber?
    package var name: EntryName
    package var kind: Kind
    package var inodeNumber: UInt64
    package var metadata: LocalMetadata

    package init(
        number: NodeNumber, parent: NodeNumber?, name: EntryName, kind: Kind, inodeNumber: UInt64,
        metadata: LocalMetadata = LocalMetadata()
    ) {
        self.number = number
        self.parent = parent
        self.name = name
        self.kind = kind
        self.inodeNumber = inodeNumber
        self.metadata = metadata
    }
}

/// What the Hub cannot keep of a file or directory; nil where the mount's own values are shown.
package struct LocalMetadata: Hashable, Sendable {
    /// Permission bits, `07777`.
    package var permissions: UInt32?
    package var uid: UInt32?
    package var gid: UInt32?
    /// Nanoseconds since 1970.
    package var modifiedNanoseconds: Int64?

    package init() {}
}

/// One layer of edited bytes of a file.
package struct LayerRecord: Hashable, Sendable {
    package var number: UInt64
    package var node: NodeNumber
    package var isSealed: Bool
    package var shape: LayerShape
    /// The shape as of the last fsync; nil when there was none.
    package var synced: LayerShape?
}

/// Where the bytes of a layer come from: its size, its extents, and how much of what lies below
/// shows between them.
package struct LayerShape: Hashable, Sendable {
    /// Size of the file as seen through this layer, bytes.
    package var size: UInt64
    /// Bytes of the layer below that still show; beyond are zeros.
    package var lowerLimit: UInt64
    package var extents: ExtentMap

    package init(size: UInt64, lowerLimit: UInt64, extents: ExtentMap = ExtentMap()) {
        self.size = size
        self.lowerLimit = lowerLimit
        self.extents = extents
    }

    /// Whether no byte of the file comes from elsewhere.
    var isWhole: Bool {
        var whole = ExtentMap()
        _ = whole.set(0..<size, to: .dirty)
        return extents == whole
    }
}

/// Everything a journal holds, as recovery reads it.
package struct JournalContents: Sendable {
    package var baseCommit: CommitOID?
    package var nodes: [NodeRecord] = []
    package var whiteouts: [NodeNumber: Set<EntryName>] = [:]
    package var attributes: [NodeNumber: [EntryName: [UInt8]]] = [:]
    package var layers: [LayerRecord] = []
    package var plan: String?
    /// The run of the machine in which the journal was last open, 32 digits.
    package var bootID: String?
    /// What the workspace belongs to, see `WorkspaceKey`.
    package var owner: String?
    package var lastFailure: String?
    /// Where commits go, if not to the mounted branch.
    package var target: String?
    /// See `ConflictRecord`.
    package var conflicts: String?

    package var isEmpty: Bool { nodes.allSatisfy { $0.parent == nil } && whiteouts.isEmpty }

    /// Why the nodes are no tree; nil when they are one. A file that somebody changed, or a disk that
    /// forgot, must not lead anybody in a circle.
    var treeFault: String? {
        let byNumber = Dictionary(uniqueKeysWithValues: nodes.map { ($0.number, $0) })
        var reachesRoot: Set<NodeNumber> = []
        for node in nodes {
            var way: [NodeNumber] = []
            var current = node
            while let parent = current.parent, !reachesRoot.contains(current.number) {
                way.append(current.number)
                guard let above = byNumber[parent], case .directory = above.kind else {
                    return "object \(current.number.value) is in no directory"
                }
                if way.count > nodes.count { return "directories stand in a circle" }
                current = above
            }
            reachesRoot.formUnion(way)
        }
        return nil
    }
}
