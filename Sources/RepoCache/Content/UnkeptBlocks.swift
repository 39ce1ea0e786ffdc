import DequeModule
import Platform

/// Blocks that the disk has no room for, in memory until others push them out.
///
/// One per cache, first in first out within a budget: a reader gets its bytes, a second read of
/// them fetches again.
final class UnkeptBlocks: Sendable {
    struct Key: Hashable {
        /// Number of the open content.
        let owner: Int
        let block: Int
    }

    private struct State {
        var bytes: [Key: [UInt8]] = [:]
        /// Invariant: holds every key of `bytes`; keys without bytes were removed.
        var order = Deque<Key>()
        var byteCount = 0
    }

    private let byteCountMax: Int
    private let state = Guarded(State(), rank: .leaf)

    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    /// Keeps a copy of a block, pushing out the oldest.
    ///
    /// - Returns: false when it is larger than the whole budget.
    func insert(_ block: UnsafeRawBufferPointer, for key: Key) -> Bool {
        guard block.count <= byteCountMax else { return false }
        let copy = Array(block)
        state.withLock { state in
            if let old = state.bytes.updateValue(copy, forKey: key) {
                state.byteCount -= old.count
            } else {
                state.order.append(key)
            }
            state.byteCount += copy.count
            while state.byteCount > byteCountMax, let oldest = state.order.popFirst() {
                state.byteCount -= state.bytes.removeValue(forKey: oldest)?.count ?? 0
            }
        }
        return true
    }

    func contains(_ key: Key) -> Bool { state.withLock { $0.bytes[key] != nil } }

    /// Copies bytes of a block.
    ///
    /// - Parameter start: Where to start, in bytes from the block's start.
    /// - Returns: false when the block is not here (any more).
    func read(_ key: Key, from start: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        state.withLock { state in
            guard let bytes = state.bytes[key], start + buffer.count <= bytes.count else {
                return false
            }
            bytes.withUnsafeBytes {
                buffer.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: $0[start..<start + buffer.count]))
            }
            return true
        }
    }

    /// Forgets every block of a content.
    func removeAll(of owner: Int) {
        state.withLock { state in
            for key in state.order where key.owner == owner {
                state.byteCount -= state.bytes.removeValue(forKey: key)?.count ?? 0
            }
            state.order.removeAll { $0.owner == owner }
        }
    }
}
