import Glibc
import Platform
import Synchronization
import SystemPackage

/// A layer of which a power cut would not leave everything, as it was at one moment.
struct UnsyncedLayer: Sendable {
    let number: UInt64
    let store: StagingFile
    let shape: LayerShape
    /// See `WorkingFile.Layer`.
    let writeCount: UInt64
    let hasUnsyncedBytes: Bool
    /// Whether even the name of its file can be lost.
    let isNew: Bool
}

extension UnsyncedLayer {
    init(_ layer: WorkingFile.Layer) {
        self.init(
            number: layer.number, store: layer.store, shape: layer.shape,
            writeCount: layer.writeCount, hasUnsyncedBytes: layer.hasUnsyncedBytes,
            isNew: layer.synced == nil)
    }
}

/// What a power cut would not leave of a file, as it was at one moment.
struct UnsyncedFile: Sendable {
    let file: WorkingFile
    let layers: [UnsyncedLayer]
    fileprivate let mergeCount: UInt64

    /// Whether the layers are still those of the file: a commit that failed merges two into one.
    /// Looked at within a transaction, it tells of every merger the journal has.
    var isCurrent: Bool { file.mergeCount.load(ordering: .sequentiallyConsistent) == mergeCount }

    /// Records the bytes as synced, which they must be.
    func record(_ transaction: borrowing JournalTransaction) throws {
        guard isCurrent else { return }
        for layer in layers { try transaction.setSynced(layer) }
    }
}

extension WorkingFile {
    /// Puts the file's bytes, its name, and every earlier change of the workspace on disk.
    package func sync() throws(WriteBackError) {
        var unsynced: UnsyncedFile
        repeat {
            unsynced = try syncBytes()
            let found = unsynced
            try staging.writeDurably { try found.record($0) }
        } while !unsynced.isCurrent
        noteSynced(unsynced.layers)
        state.withLock { state in
            guard let top = state.top,
                unsynced.layers.contains(where: {
                    $0.number == top.number && $0.shape == top.synced
                })
            else { return }
            Self.trim(top)
        }
    }

    /// Puts the bytes on disk. A power cut leaves them as soon as the journal says so: for a rename
    /// over another file, which must never leave less than one of the two.
    ///
    /// - Returns: what the caller records, and then tells `noteSynced`.
    func syncBytes() throws(WriteBackError) -> UnsyncedFile {
        let unsynced = try unsynced()
        try staging.sync(unsynced.layers)
        return unsynced
    }

    /// What a power cut would not leave: also what a commit under way has sealed and not synced yet.
    func unsynced() throws(WriteBackError) -> UnsyncedFile {
        try catchUp()
        return state.withLock { state in
            state.top?.syncHasBegun = true
            let layers = state.isUnlinked ? [] : [state.sealed, state.top].compactMap { $0 }
            return UnsyncedFile(
                file: self, layers: layers.filter { !$0.isOnDisk }.map { UnsyncedLayer($0) },
                mergeCount: mergeCount.load(ordering: .sequentiallyConsistent))
        }
    }

    /// The journal says what was synced. From now on those bytes stay until it says otherwise.
    func noteSynced(_ layers: [UnsyncedLayer]) {
        state.withLock { state in
            for layer in layers {
                if state.top?.number == layer.number { state.top?.note(layer) }
                if state.sealed?.number == layer.number { state.sealed?.note(layer) }
            }
        }
    }

    /// Gives the disk back what lies beyond the last byte that is needed now or after a power cut.
    static func trim(_ layer: Layer) {
        let end = max(layer.shape.extents.end, layer.synced?.extents.end ?? 0)
        // A file that stays longer than it need be is right all the same.
        try? layer.store.use { (file) throws(Errno) in
            if try UInt64(file.status().st_size) > end { try file.truncate(to: end) }
        }
    }

    /// Tells the journal what it missed because it could not be written at the time: what a sync
    /// promises must be in it.
    private func catchUp() throws(WriteBackError) {
        try state.withLock { state throws(WriteBackError) in
            guard let layer = state.top, layer.isJournalBehind, !state.isUnlinked else { return }
            let modified = state.modifiedNanoseconds ?? wallClockNanoseconds()
            try record(layer, ExtentMap.Delta(), isWhole: true, modified: modified)
            state.top?.isJournalBehind = false
        }
    }
}

extension WorkingFile.Layer {
    fileprivate mutating func note(_ layer: UnsyncedLayer) {
        synced = layer.shape
        syncedWriteCount = max(syncedWriteCount, layer.writeCount)
    }
}
