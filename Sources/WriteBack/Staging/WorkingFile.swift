import Glibc
import Platform
import Synchronization
import SystemPackage

/// The bytes of one file of a writable mount: what was edited, over what was sealed for a commit,
/// over what the Hub has.
///
/// ```
/// top      edited now                 staging/12   extents
/// sealed   belongs to a commit        staging/9    extents     (at most one)
/// base     at the Hub, or nothing
/// ```
///
/// Opening a file of any size and writing four bytes fetches nothing: the rest is read through the
/// layers. Bytes have the same offset in every layer.
///
/// Locks: `state` is held while the edited bytes are handed to the page cache and the journal, so
/// that two edits of one file reach both in the same order; writes of other files go on meanwhile.
package final class WorkingFile: Sendable {
    struct Layer: Sendable {
        let number: UInt64
        let store: StagingFile
        var shape: LayerShape
        /// What the journal says of the last sync; a power cut leaves this, or the state before it
        /// if the journal is not on disk up to there.
        var synced: LayerShape?
        /// Writes into the staging file, and how many of them are on disk. The shape does not tell:
        /// bytes can be written over.
        var writeCount: UInt64 = 0
        var syncedWriteCount: UInt64 = 0
        /// The journal missed an edit: the next one writes the whole layer.
        var isJournalBehind = false
        /// A sync was begun, of which the journal knows sooner than this.
        var syncHasBegun = false
        /// Of the whole file, found by a commit and good until the next edit: a commit that failed,
        /// or that goes in parts, reads each file once.
        var hash: ContentHash?
        /// The staging file has all bytes, also those that the shape takes from elsewhere; good as long as `hash`.
        var isFilled = false

        /// Another edit: what was found of the bytes holds no more.
        mutating func forgetBytes() {
            hash = nil
            isFilled = false
        }

        /// Whether a power cut leaves all of it once the journal is on disk.
        var isOnDisk: Bool { synced == shape && !hasUnsyncedBytes }

        var hasUnsyncedBytes: Bool { syncedWriteCount < writeCount }

        /// Whether a power cut can bring back bytes that were cut off since.
        var isKept: Bool { synced != nil || syncHasBegun }
    }

    struct State: Sendable {
        var base: BaseFile?
        var sealed: Layer?
        var top: Layer?
        var modifiedNanoseconds: Int64?
        /// Handles that are open, for reading or writing.
        var openCount = 0
        var writerCount = 0
        /// Removed from the tree: nothing is journalled any more, and the last close drops all.
        var isUnlinked = false
    }

    package let number: NodeNumber
    let staging: Staging
    let state: Guarded<State>
    /// Grows before the journal hears that layers were merged.
    let mergeCount = Atomic<UInt64>(0)

    init(
        number: NodeNumber, base: BaseFile?, staging: Staging, modifiedNanoseconds: Int64? = nil
    ) {
        self.number = number
        self.staging = staging
        state = Guarded(
            State(base: base, modifiedNanoseconds: modifiedNanoseconds), rank: .blockStore)
    }

    /// Bytes.
    package var size: UInt64 { state.withLock { $0.size } }

    /// When the bytes were last changed, nanoseconds since 1970; nil: not since a base that does not tell.
    package var modifiedNanoseconds: Int64? { state.withLock { $0.modifiedNanoseconds } }

    /// Whether there are edits that are in no commit, sealed or not.
    package var isDirty: Bool { state.withLock { $0.top != nil || $0.sealed != nil } }

    /// Bytes in staging files; nil without an edit.
    var editedBytes: UInt64? {
        state.withLock { state in
            let layers = [state.top, state.sealed].compactMap(\.self)
            if layers.isEmpty { return nil }
            return layers.reduce(0) { $0 + $1.shape.extents.dirtyBytes }
        }
    }

    package var base: BaseFile? { state.withLock { $0.base } }

    /// Whether a program can still write through a handle or a mapping.
    package var hasWriters: Bool { state.withLock { $0.writerCount > 0 } }

    /// The base, if the file shows it and nothing else.
    var cleanBase: BaseFile? {
        state.withLock { $0.top == nil && $0.sealed == nil ? $0.base : nil }
    }

    /// Whether nothing was ever in the file.
    var isNew: Bool {
        state.withLock { $0.top == nil && $0.sealed == nil && $0.base == nil }
    }

    /// Shows `base` from now on; only for a new file, journalled by the caller.
    func adopt(_ base: BaseFile, modifiedNanoseconds: Int64) {
        state.withLock { state in
            state.base = base
            state.modifiedNanoseconds = modifiedNanoseconds
        }
    }

    /// Takes the base's bytes from another place, which has the same ones. The caller has journalled
    /// it.
    func anchor(_ base: BaseFile) { state.withLock { $0.base = base } }

    /// Whether any handle is open.
    var isOpen: Bool { state.withLock { $0.openCount > 0 } }

    /// Names of the layers the journal holds of this file.
    var layerNumbers: [UInt64] {
        state.withLock { state in [state.top?.number, state.sealed?.number].compactMap { $0 } }
    }

    /// Shows another time of the last change. Source: man 2 utimensat.
    func setModified(_ nanoseconds: Int64?) {
        state.withLock { $0.modifiedNanoseconds = nanoseconds }
    }

    /// Notes an open handle; the staging files stay open with it.
    func opened(forWriting: Bool) {
        state.withLock { state in
            state.openCount += 1
            if forWriting { state.writerCount += 1 }
            if state.openCount == 1 {
                state.top?.store.retain()
                state.sealed?.store.retain()
            }
        }
    }

    /// Ends what `opened` began.
    func closed(forWriting: Bool) {
        let dropped = state.withLock { state -> [Layer] in
            state.openCount -= 1
            if forWriting {
                state.writerCount -= 1
                staging.noteActivity()
            }
            guard state.openCount == 0 else { return [] }
            state.top?.store.release()
            state.sealed?.store.release()
            return state.isUnlinked ? state.takeLayers() : []
        }
        for layer in dropped { staging.discard(layer) }
    }

    /// The file has no name any more. Its journal records are removed by the caller.
    func unlinked() {
        let dropped = state.withLock { state -> [Layer] in
            state.isUnlinked = true
            return state.openCount == 0 ? state.takeLayers() : []
        }
        for layer in dropped { staging.discard(layer) }
    }

    /// Puts back what the journal holds of the file.
    ///
    /// - Parameter layers: By number, so that what was made later, and lies above, comes later. The
    ///   record that a layer was sealed may be missing.
    func restore(_ layers: [LayerRecord], modifiedNanoseconds: Int64?) {
        state.withLock { state in
            state.modifiedNanoseconds = modifiedNanoseconds
            for record in layers {
                // What the daemon before has written may be in the page cache only.
                let layer = Layer(
                    number: record.number, store: staging.file(record.number),
                    shape: record.shape, synced: record.synced, writeCount: 1)
                if state.top != nil { state.sealed = state.top.take() }
                if record.isSealed { state.sealed = layer } else { state.top = layer }
            }
        }
    }
}

extension WorkingFile.State {
    var size: UInt64 { top?.shape.size ?? lowerSize }

    /// Size of what lies below the top layer.
    var lowerSize: UInt64 { sealed?.shape.size ?? base?.size ?? 0 }

    mutating func takeLayers() -> [WorkingFile.Layer] {
        let layers = [top, sealed].compactMap { $0 }
        top = nil
        sealed = nil
        return layers
    }
}
