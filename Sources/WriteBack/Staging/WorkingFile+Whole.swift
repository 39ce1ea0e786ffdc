import Platform
import SystemPackage

extension WorkingFile {
    /// Makes the staging file of a sealed layer hold all bytes of the file, from 0 to its size, on disk and in
    /// the journal.
    ///
    /// Of a large file that was edited in a few places, the rest is first brought from the base.
    ///
    /// - Parameters:
    ///   - sealed: Of this file, pinned; the file may have been removed meanwhile.
    ///   - base: What it was edited on.
    func makeWhole(
        _ sealed: SealedLayer, over base: BaseFile?, from source: any BaseSource
    ) throws(PublishError) {
        if sealed.shape.isWhole { return try cutOff(sealed) }
        try fill(sealed, over: base, from: source, checkStop: {})
        do throws(WriteBackError) {
            try recordWhole(sealed.number, size: sealed.shape.size)
        } catch {
            throw .workspace(error)
        }
    }

    /// The same, without the journal: what is lost with this process is only time.
    ///
    /// - Parameter checkStop: Asked between pieces; throws to end it.
    func fill(
        _ sealed: SealedLayer, over base: BaseFile?, from source: any BaseSource,
        checkStop: () throws(PublishError) -> Void
    ) throws(PublishError) {
        try cutOff(sealed)
        do throws(WriteBackError) {
            let missing = sealed.shape.extents.pieces(of: 0..<sealed.shape.size).reduce(UInt64(0)) {
                sum, piece in
                piece.kind == nil ? sum + UInt64(piece.bytes.count) : sum
            }
            try staging.floor.reserve(missing)
        } catch {
            throw .workspace(error)
        }
        for segment in Self.segments(of: sealed, over: base) {
            if case .staged(let store) = segment.source, store === sealed.store { continue }
            try fill(segment, of: sealed.store, from: source, checkStop: checkStop)
        }
        do throws(WriteBackError) {
            try sealed.store.use { (file) throws(Errno) in
                try file.syncData()
            }
        } catch {
            throw .workspace(error)
        }
        state.withLock { state in
            if state.sealed?.number == sealed.number { state.sealed?.isFilled = true }
        }
    }

    /// Bytes beyond the size may be left of a file that was cut.
    private func cutOff(_ sealed: SealedLayer) throws(PublishError) {
        do throws(WriteBackError) {
            try sealed.store.use { (file) throws(Errno) in
                try file.truncate(to: sealed.shape.size)
            }
        } catch {
            throw .workspace(error)
        }
    }

    private func fill(
        _ segment: Segment, of store: StagingFile, from source: any BaseSource,
        checkStop: () throws(PublishError) -> Void
    ) throws(PublishError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var offset = segment.bytes.lowerBound
        while offset < segment.bytes.upperBound {
            try checkStop()
            let count = Int(min(UInt64(buffer.count), segment.bytes.upperBound - offset))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            switch segment.source {
            case .base(let file): try source.read(file, at: offset, into: piece)
            case .zeros, .staged: _ = piece.initializeMemory(as: UInt8.self, repeating: 0)
            }
            do throws(WriteBackError) {
                try store.use { (file) throws(Errno) in
                    try file.writeWhole(UnsafeRawBufferPointer(piece), at: offset)
                }
            } catch {
                throw .workspace(error)
            }
            offset += UInt64(count)
        }
    }

    private func recordWhole(_ layer: UInt64, size: UInt64) throws(WriteBackError) {
        try state.withLock { state throws(WriteBackError) in
            guard var sealed = state.sealed, sealed.number == layer else { return }
            sealed.shape.lowerLimit = 0
            _ = sealed.shape.extents.set(0..<size, to: .dirty)
            sealed.synced = sealed.shape
            if !state.isUnlinked {
                try staging.journal.write { transaction in
                    try transaction.putWhole(
                        LayerRecord(
                            number: layer, node: number, isSealed: true, shape: sealed.shape,
                            synced: sealed.synced))
                }
            }
            state.sealed = sealed
        }
    }
}
