package import HubClient

/// The edits of a workspace at one moment: what a commit is made of.
///
/// A value: names and kinds stay as they were while programs go on editing, and the bytes of its
/// files are sealed.
package struct FrozenTree: Sendable {
    /// The commit the edits are based on.
    package let base: CommitOID
    package let root: FrozenDirectory
    /// What `freeze` has sealed: kept until `release`, even if the files are removed meanwhile.
    var sealed: [SealedLayer] = []

    /// Lets go of the sealed bytes. Call once, when the commit has ended.
    func release() {
        for layer in sealed { layer.store.unpin() }
    }
}

/// Edited bytes of a file that do not change any more.
///
/// A class, as `FrozenFile` is: a commit sorts and filters tens of thousands of them.
final class SealedLayer: Sendable {
    let file: WorkingFile
    let number: UInt64
    let store: StagingFile
    let shape: LayerShape
    let synced: LayerShape?
    /// Of the whole file, if a commit before has found it.
    let hash: ContentHash?
    /// Whether the staging file has every byte.
    let isWhole: Bool
    private let writeCount: UInt64
    private let hasUnsyncedBytes: Bool
    private let isOnDisk: Bool

    init(_ layer: WorkingFile.Layer, of file: WorkingFile) {
        self.file = file
        number = layer.number
        store = layer.store
        shape = layer.shape
        synced = layer.synced
        hash = layer.hash
        isWhole = layer.isFilled || layer.shape.isWhole
        writeCount = layer.writeCount
        hasUnsyncedBytes = layer.hasUnsyncedBytes
        isOnDisk = layer.isOnDisk
    }

    /// What `freeze` still has to put on disk; nil: nothing.
    var unsynced: UnsyncedLayer? {
        isOnDisk
            ? nil
            : UnsyncedLayer(
                number: number, store: store, shape: shape, writeCount: writeCount,
                hasUnsyncedBytes: hasUnsyncedBytes, isNew: synced == nil)
    }

    var record: LayerRecord {
        LayerRecord(
            number: number, node: file.number, isSealed: true, shape: shape, synced: synced)
    }
}

package struct FrozenDirectory: Sendable {
    package let number: NodeNumber
    /// What shows through.
    package let lower: LowerDirectory
    /// Names of the lower directory that are gone.
    package let whiteouts: Set<EntryName>
    /// What was changed, or stands above something that was. Sorted by name.
    package let children: [FrozenChild]

    /// The base's directory that shows through, from the mounted directory; nil: none does.
    package var redirect: String? { lower.redirect }

    /// Whether the base's directory of the same path shows through.
    func isInPlace(at path: String) -> Bool {
        redirect.map { ExactPath($0) == ExactPath(path) } ?? false
    }
}

package struct FrozenChild: Sendable {
    package enum Kind: Sendable {
        case directory(FrozenDirectory)
        case file(FrozenFile)
        case link(target: [UInt8])
    }

    package let number: NodeNumber
    package let name: EntryName
    package let kind: Kind
}

package final class FrozenFile: Sendable {
    package let file: WorkingFile
    /// The base's bytes below the edited ones.
    package let base: BaseFile?
    /// Whether bytes were edited; else the file is its base, or empty without one.
    package let isEdited: Bool
    /// Bytes, as of the freeze.
    package let size: UInt64
    /// Whether a program could still write when it was frozen.
    package let hasWriters: Bool
    /// The edited bytes; nil where nothing was edited, and outside of a freeze.
    let sealed: SealedLayer?

    init(
        file: WorkingFile, base: BaseFile?, isEdited: Bool, size: UInt64, hasWriters: Bool,
        sealed: SealedLayer? = nil
    ) {
        self.file = file
        self.base = base
        self.isEdited = isEdited
        self.size = size
        self.hasWriters = hasWriters
        self.sealed = sealed
    }
}
