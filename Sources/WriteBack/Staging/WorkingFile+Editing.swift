import Glibc
import Platform
import SystemPackage

extension WorkingFile {
    /// The largest size a file can have: what `off_t` can say.
    static let sizeMax = UInt64(Int64.max)

    /// Writes `bytes` at `offset`; they survive the end of this process when this returns.
    ///
    /// - Throws: `.full` below the floor; nothing has changed then.
    package func write(
        _ bytes: UnsafeRawBufferPointer, at offset: UInt64
    ) throws(WriteBackError) {
        guard !bytes.isEmpty else { return }
        let (end, overflows) = offset.addingReportingOverflow(UInt64(bytes.count))
        guard !overflows, end <= Self.sizeMax else { throw refuse(.fileTooLarge) }
        try staging.reserve(UInt64(bytes.count))
        try edit { layer throws(WriteBackError) in
            layer.writeCount += 1
            try layer.store.use { (file) throws(Errno) in
                try file.writeWhole(bytes, at: offset)
            }
            layer.shape.size = max(layer.shape.size, end)
            return layer.shape.extents.set(offset..<end, to: .dirty)
        }
    }

    /// Sets the size: bytes beyond it are gone, new ones are zeros. Source: man 2 ftruncate.
    package func truncate(to size: UInt64) throws(WriteBackError) {
        guard size <= Self.sizeMax else { throw refuse(.fileTooLarge) }
        try edit { layer throws(WriteBackError) in
            let delta = layer.shape.extents.cut(at: size)
            layer.shape.lowerLimit = min(layer.shape.lowerLimit, size)
            layer.shape.size = size
            return delta
        } then: { layer in
            // What was synced must stay on disk until the next sync.
            if !layer.isKept { Self.trim(layer) }
        }
    }

    /// Makes `bytes` zeros without changing the size. Source: man 2 fallocate, PUNCH_HOLE.
    package func zero(_ bytes: Range<UInt64>) throws(WriteBackError) {
        try edit { layer throws(WriteBackError) in
            let bytes = bytes.clamped(to: 0..<layer.shape.size)
            return layer.shape.extents.set(bytes, to: .zero)
        }
    }

    /// Sees that the disk has room for `bytes`, and grows the file to hold them unless it
    /// `keepsSize`. The room is not reserved: the staging file is sparse. Source: man 2 fallocate.
    ///
    /// - Throws: `.full` when the disk has no room.
    package func allocate(_ bytes: Range<UInt64>, keepsSize: Bool) throws(WriteBackError) {
        guard bytes.upperBound <= Self.sizeMax else { throw refuse(.fileTooLarge) }
        try checkRoom(for: UInt64(bytes.count))
        guard !keepsSize, bytes.upperBound > size else { return try touch() }
        try edit { layer throws(WriteBackError) in
            layer.shape.size = max(layer.shape.size, bytes.upperBound)
            return ExtentMap.Delta()
        }
    }

    /// - Throws: `.full` when the disk has no room for `byteCount` more bytes.
    package func checkRoom(for byteCount: UInt64) throws(WriteBackError) {
        guard try staging.availableBytes(atLeast: byteCount) >= byteCount else { throw .full }
    }

    /// Gives the file a new time and leaves its bytes alone.
    package func touch() throws(WriteBackError) {
        let now = wallClockNanoseconds()
        try state.withLock { state throws(WriteBackError) in
            if !state.isUnlinked {
                try staging.journal.write { try $0.setModified(now, of: number) }
            }
            state.modifiedNanoseconds = now
        }
    }

    /// Applies one change to the top layer, making it when there is none, and journals it.
    ///
    /// - Parameters:
    ///   - change: Destroys no byte that the journal still speaks of.
    ///   - cleanUp: Gives back what nobody needs once the journal knows.
    private func edit(
        _ change: (inout Layer) throws(WriteBackError) -> ExtentMap.Delta,
        then cleanUp: (Layer) -> Void = { _ in }
    ) throws(WriteBackError) {
        let spareNumber = state.withLock({ $0.top == nil }) ? try staging.journal.takeNumber() : nil
        let now = wallClockNanoseconds()
        try state.withLock { state throws(WriteBackError) in
            let isNew = state.top == nil
            var layer: Layer
            if let top = state.top {
                layer = top
            } else {
                layer = try newLayer(below: state, number: spareNumber)
            }
            // The one reference to the extents must be ours, or each edit would copy them.
            state.top = nil
            layer.forgetBytes()
            let before = (size: layer.shape.size, lowerLimit: layer.shape.lowerLimit)
            let delta: ExtentMap.Delta
            do throws(WriteBackError) {
                delta = try change(&layer)
            } catch {
                layer.shape.size = before.size
                layer.shape.lowerLimit = before.lowerLimit
                if isNew { layer.store.discard() } else { state.top = layer }
                throw error
            }
            if isNew, state.openCount > 0 { layer.store.retain() }
            defer {
                state.top = layer
                state.modifiedNanoseconds = now
                staging.noteActivity()
            }
            if state.isUnlinked { return cleanUp(layer) }
            CrashPoint.editing.pass()
            do throws(WriteBackError) {
                try record(layer, delta, isWhole: isNew || layer.isJournalBehind, modified: now)
                layer.isJournalBehind = false
            } catch {
                layer.isJournalBehind = true
                throw error
            }
            cleanUp(layer)
        }
    }

    private func newLayer(below state: State, number: UInt64?) throws(WriteBackError) -> Layer {
        let layer: UInt64
        if let number { layer = number } else { layer = try staging.journal.takeNumber() }
        let size = state.lowerSize
        return Layer(
            number: layer, store: staging.file(layer),
            shape: LayerShape(size: size, lowerLimit: size))
    }

    func record(
        _ layer: Layer, _ delta: ExtentMap.Delta, isWhole: Bool, modified: Int64
    ) throws(WriteBackError) {
        try staging.journal.write { transaction in
            if isWhole {
                try transaction.putWhole(
                    LayerRecord(
                        number: layer.number, node: number, isSealed: false, shape: layer.shape,
                        synced: layer.synced))
            } else {
                try transaction.edit(
                    layer: layer.number, size: layer.shape.size,
                    lowerLimit: layer.shape.lowerLimit, delta)
            }
            try transaction.setModified(modified, of: number)
        }
    }
}

/// Nanoseconds since 1970, as file times count. Source: man 2 clock_gettime, CLOCK_REALTIME.
package func wallClockNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
