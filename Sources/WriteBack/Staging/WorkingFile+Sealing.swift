import Platform
import SystemPackage

extension WorkingFile {
    /// The file as a freeze sees it.
    var frozen: FrozenFile {
        state.withLock { state in
            FrozenFile(
                file: self, base: state.base, isEdited: state.top != nil || state.sealed != nil,
                size: state.sealed?.shape.size ?? state.size, hasWriters: state.writerCount > 0)
        }
    }

    /// Makes the edited bytes immutable: later edits go to a new layer above them.
    ///
    /// Precondition: nothing is sealed yet, or nothing was edited since.
    func seal(_ transaction: borrowing JournalTransaction) throws {
        let sealed = state.withLock { state -> Layer? in
            guard let top = state.top else { return nil }
            precondition(state.sealed == nil, "a failed commit must be thawed before the next")
            state.sealed = top
            state.top = nil
            return top
        }
        if let sealed {
            try transaction.putWhole(
                LayerRecord(
                    number: sealed.number, node: number, isSealed: true, shape: sealed.shape,
                    synced: sealed.synced))
        }
    }

    /// Whether sealed bytes may not have reached the disk.
    var isSealedUnsynced: Bool {
        state.withLock { state in
            state.sealed.map { !state.isUnlinked && $0.synced != $0.shape } ?? false
        }
    }

    /// Puts the sealed bytes on disk.
    func syncSealed() throws(WriteBackError) {
        guard let store = state.withLock({ $0.sealed?.store }) else { return }
        try store.use { (file) throws(Errno) in try file.syncData() }
    }

    /// Records that the sealed bytes have reached the disk.
    func sealedIsSynced(_ transaction: borrowing JournalTransaction) throws {
        let sealed = state.withLock { state -> Layer? in
            guard !state.isUnlinked, let sealed = state.sealed, sealed.synced != sealed.shape
            else { return nil }
            state.sealed?.synced = sealed.shape
            return sealed
        }
        if let sealed { try transaction.setSynced(sealed.shape, ofLayer: sealed.number) }
    }

    /// Makes the sealed bytes editable again, with what was edited since on top.
    func unseal() throws(WriteBackError) {
        try state.withLock { state throws(WriteBackError) in
            guard var merged = state.sealed else { return }
            let top = state.top
            if let top {
                try copy(top, into: &merged)
                // What was promised of either layer must hold of the one that is left.
                if merged.synced != nil || top.synced != nil {
                    try merged.store.use { (file) throws(Errno) in try file.syncData() }
                    merged.synced = merged.shape
                }
            }
            let record = LayerRecord(
                number: merged.number, node: number, isSealed: false, shape: merged.shape,
                synced: merged.synced)
            if !state.isUnlinked {
                try staging.journal.write { transaction in
                    try transaction.putWhole(record)
                    if let top { try transaction.removeLayer(top.number) }
                }
            }
            if let top {
                if state.openCount > 0 { top.store.release() }
                staging.discard(top)
            }
            state.top = merged
            state.sealed = nil
        }
    }

    /// Puts the edits of `top` over those of the layer below it. Interrupted, it can be done again:
    /// the bytes it overwrites are those that `top` hides.
    private func copy(_ top: Layer, into merged: inout Layer) throws(WriteBackError) {
        let target = merged.store
        for extent in top.shape.extents.extents where extent.kind == .dirty {
            try Self.copy(extent.bytes, from: top.store, to: target)
        }
        _ = merged.shape.extents.cut(at: top.shape.lowerLimit)
        merged.shape.lowerLimit = min(merged.shape.lowerLimit, top.shape.lowerLimit)
        merged.shape.size = top.shape.size
        for extent in top.shape.extents.extents {
            _ = merged.shape.extents.set(extent.bytes, to: extent.kind)
        }
    }

    private static let copyBytes: UInt64 = 1 << 20

    private static func copy(
        _ bytes: Range<UInt64>, from source: StagingFile, to target: StagingFile
    ) throws(WriteBackError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(copyBytes), alignment: 4096)
        defer { buffer.deallocate() }
        var offset = bytes.lowerBound
        while offset < bytes.upperBound {
            let count = Int(min(copyBytes, bytes.upperBound - offset))
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            let read = try source.use { (file) throws(Errno) in
                try file.readWhole(into: part, at: offset)
            }
            guard read == count else { throw .disk(.ioError, path: source.path.string) }
            try target.use { (file) throws(Errno) in
                try file.writeWhole(UnsafeRawBufferPointer(part), at: offset)
            }
            offset += UInt64(count)
        }
    }

    /// Stands on `base`, which has the sealed bytes, or those of the old base.
    ///
    /// - Returns: the staging file of the bytes that were sealed, no longer a layer.
    func settle(
        on base: BaseFile, _ transaction: borrowing JournalTransaction
    ) throws -> StagingFile? {
        let sealed = state.withLock { state -> Layer? in
            let sealed = state.sealed
            state.base = base
            state.sealed = nil
            if sealed != nil, state.openCount > 0 { sealed?.store.release() }
            return sealed
        }
        if let sealed { try transaction.removeLayer(sealed.number) }
        return sealed?.store
    }

    /// The places of the sealed bytes of a file, or of its base where nothing was edited.
    package func frozenSegments(offset: UInt64, count: Int) -> [Segment] {
        state.withLock { state in
            let size = state.sealed == nil && state.top == nil ? state.size : state.lowerSize
            guard offset < size, count > 0 else { return [] }
            return state.lowerSegments(of: offset..<min(size, offset + UInt64(count)))
        }
    }
}
