import Platform
import Synchronization
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

    /// Makes the edited bytes immutable: later edits go to a new layer above them. The caller
    /// journals it, and unpins the sealed bytes.
    ///
    /// Precondition: nothing is sealed yet, or nothing was edited since.
    ///
    /// - Parameter leavesOpen: Nothing is sealed while a program can write.
    func freeze(leavesOpen: Bool) -> FrozenFile {
        state.withLock { state in
            let hasWriters = state.writerCount > 0
            var layer: SealedLayer?
            if !(leavesOpen && hasWriters) {
                if let top = state.top {
                    precondition(
                        state.sealed == nil, "a failed commit must be thawed before the next")
                    (state.sealed, state.top) = (top, nil)
                }
                state.sealed?.store.pin()
                layer = state.sealed.map { SealedLayer($0, of: self) }
            }
            return FrozenFile(
                file: self, base: state.base, isEdited: layer != nil || state.top != nil,
                size: state.size, hasWriters: hasWriters, sealed: layer)
        }
    }

    /// The sealed bytes are whole, and this is what they are.
    func keep(_ hash: ContentHash, of layer: SealedLayer) {
        state.withLock { state in
            if state.sealed?.number == layer.number { state.sealed?.hash = hash }
        }
    }

    /// Makes the sealed bytes editable again, with what was edited since on top.
    func unseal() throws(WriteBackError) {
        try state.withLock { state throws(WriteBackError) in
            guard var merged = state.sealed else { return }
            let top = state.top
            if let top {
                try copy(top, into: &merged)
                merged.writeCount += 1
                // What was promised of either layer must hold of the one that is left.
                if merged.synced != nil || top.synced != nil {
                    try staging.sync([UnsyncedLayer(merged)])
                    merged.synced = merged.shape
                    merged.syncedWriteCount = merged.writeCount
                }
            }
            let record = LayerRecord(
                number: merged.number, node: number, isSealed: false, shape: merged.shape,
                synced: merged.synced)
            mergeCount.wrappingAdd(1, ordering: .sequentiallyConsistent)
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
        merged.forgetBytes()
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

    /// The layer that `settle` takes away.
    var sealedNumber: UInt64? { state.withLock { $0.sealed?.number } }

    /// Stands on `base`, which has the sealed bytes, or those of the old base. The caller has
    /// journalled it.
    ///
    /// - Returns: what the staging file of the bytes that were sealed has; it is no layer's any more.
    func settle(on base: BaseFile) -> SettledContent? {
        state.withLock { state in
            let sealed = state.sealed
            state.base = base
            state.sealed = nil
            if sealed != nil, state.openCount > 0 { sealed?.store.release() }
            return sealed.map { sealed in
                SettledContent(
                    base: base, store: sealed.store,
                    isWhole: sealed.isFilled || sealed.shape.isWhole)
            }
        }
    }
}
