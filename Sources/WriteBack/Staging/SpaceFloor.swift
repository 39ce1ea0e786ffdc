import Platform
import SystemPackage

/// Keeps edits from filling the disk to its last byte: below the floor, writers get ENOSPC while
/// the journal and a commit still have room to work.
final class SpaceFloor: Sendable {
    private struct State {
        /// Bytes that may be written before the disk is asked again.
        var allowance: UInt64 = 0
    }

    /// Disk questions per written byte: rare enough to cost nothing, often enough not to overrun.
    private static let allowanceBytesMax: UInt64 = 32 << 20

    private let folder: FilePath
    private let floorBytes: UInt64
    private let state = Guarded(State(), rank: .leaf)

    /// - Parameters:
    ///   - folder: Any folder of the disk in question.
    ///   - floorBytes: What must stay free.
    init(folder: FilePath, floorBytes: UInt64) {
        self.folder = folder
        self.floorBytes = floorBytes
    }

    /// Takes room for `byteCount` bytes that are about to be written.
    func reserve(_ byteCount: UInt64) throws(WriteBackError) {
        let isAllowed = state.withLock { state in
            guard state.allowance >= byteCount else { return false }
            state.allowance -= byteCount
            return true
        }
        if isAllowed { return }
        let available = try availableBytes()
        guard available >= byteCount else { throw .full }
        state.withLock { $0.allowance = min(available - byteCount, Self.allowanceBytesMax) }
    }

    /// Bytes that can still be written above the floor.
    func availableBytes() throws(WriteBackError) -> UInt64 {
        do throws(Errno) {
            let available = try FileSystemFacts(of: folder).availableBytes
            return available > floorBytes ? available - floorBytes : 0
        } catch {
            throw .disk(error, path: folder.string)
        }
    }
}
