import DequeModule
import Platform

/// Blocks that the disk has no room for, in memory within a budget.
///
/// One per cache. A reader whose blocks do not go to disk claims room for all it lacks at once, and
/// stands in line while there is none: with room for a part only, readers would hold what the others
/// need. Claimed blocks stay; what nobody claims any more is spare and makes room, oldest first. A
/// second read of it may find it, or fetches again.
///
/// Invariant: the bytes claimed and the bytes of spare blocks are within the budget together.
final class UnkeptBlocks: Sendable {
    struct Key: Hashable {
        /// Number of the open content.
        let owner: Int
        let block: Int
    }

    /// A parked reader.
    struct Claimant: Hashable {
        /// Number of the open content.
        let owner: Int
        /// The reader's number on the content's board.
        let reader: Int
    }

    enum Room: Equatable {
        case granted
        /// Others have it now.
        case awaited
        /// More than the whole budget: waiting would not help.
        case tooLarge
    }

    private struct Claim {
        let blocks: Range<Int>
        /// What the disk does not have of them: room for all of it is set aside.
        let byteCount: Int
    }

    private struct Request {
        let claimant: Claimant
        let claim: Claim
        let onGranted: @Sendable () -> Void
    }

    private struct State {
        var bytes: [Key: [UInt8]] = [:]
        /// By owner and reader.
        var claims: [Int: [Int: Claim]] = [:]
        var claimedByteCount = 0
        /// Who stands in line for room. As many as readers are parked, and no more.
        var requests = Deque<Request>()
        /// Blocks that nobody claims, oldest first.
        var spare = Deque<Key>()
        var spareByteCount = 0

        func isClaimed(_ key: Key) -> Bool {
            claims[key.owner]?.values.contains { $0.blocks.contains(key.block) } ?? false
        }

        func isAwaiting(_ claimant: Claimant) -> Bool {
            requests.contains { $0.claimant == claimant }
        }
    }

    private let byteCountMax: Int
    private let state = Guarded(State(), rank: .leaf)

    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    // MARK: Room

    /// Claims room for the blocks of a reader, until `release`. Asking again changes nothing.
    ///
    /// - Parameters:
    ///   - byteCount: Bytes of those of `blocks` that are not on disk.
    ///   - onGranted: Called once, without locks, when room that was not there at once came free;
    ///     nil does not stand in line.
    func claim(
        _ claimant: Claimant, blocks: Range<Int>, byteCount: Int,
        onGranted: (@Sendable () -> Void)?
    ) -> Room {
        guard byteCount <= byteCountMax else { return .tooLarge }
        return state.withLock { state in
            if state.claims[claimant.owner]?[claimant.reader] != nil { return .granted }
            if state.isAwaiting(claimant) { return .awaited }
            let claim = Claim(blocks: blocks, byteCount: byteCount)
            if state.requests.isEmpty, fits(claim, state) {
                grant(claim, to: claimant, &state)
                return .granted
            }
            if let onGranted {
                state.requests.append(
                    Request(claimant: claimant, claim: claim, onGranted: onGranted))
            }
            return .awaited
        }
    }

    /// Whether a reader stands in line.
    func isAwaiting(_ claimant: Claimant) -> Bool {
        state.withLock { $0.isAwaiting(claimant) }
    }

    /// Gives back what a reader claimed, or its place in the line. Called without locks.
    func release(_ claimant: Claimant) {
        let granted = state.withLock { state -> [Request] in
            if let claim = state.claims[claimant.owner]?.removeValue(forKey: claimant.reader) {
                if state.claims[claimant.owner]?.isEmpty == true {
                    state.claims[claimant.owner] = nil
                }
                state.claimedByteCount -= claim.byteCount
                makeSpare(claim.blocks, of: claimant.owner, &state)
            } else if let index = state.requests.firstIndex(where: { $0.claimant == claimant }) {
                state.requests.remove(at: index)
            } else {
                return []
            }
            return grantInLine(&state)
        }
        for request in granted { request.onGranted() }
    }

    // MARK: Blocks

    /// Keeps a copy of a block: for as long as it is claimed, else as a spare one.
    func insert(_ block: UnsafeRawBufferPointer, for key: Key) {
        let copy = Array(block)
        state.withLock { state in
            guard state.bytes[key] == nil else { return }
            state.bytes[key] = copy
            guard !state.isClaimed(key) else { return }
            state.spare.append(key)
            state.spareByteCount += copy.count
            dropSpare(&state)
        }
    }

    /// Bytes of all blocks here.
    var byteCount: Int { state.withLock { $0.bytes.values.reduce(0) { $0 + $1.count } } }

    func contains(_ key: Key) -> Bool { state.withLock { $0.bytes[key] != nil } }

    /// Whether any of these blocks is here.
    func containsAny(of blocks: Range<Int>, owner: Int) -> Bool {
        state.withLock { state in
            guard !state.bytes.isEmpty else { return false }
            return blocks.contains { state.bytes[Key(owner: owner, block: $0)] != nil }
        }
    }

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

    /// Forgets the blocks of a content and what its readers claimed. Called without locks.
    func removeAll(of owner: Int) {
        let granted = state.withLock { state -> [Request] in
            for claim in (state.claims.removeValue(forKey: owner) ?? [:]).values {
                state.claimedByteCount -= claim.byteCount
            }
            state.requests.removeAll { $0.claimant.owner == owner }
            for key in state.spare where key.owner == owner {
                state.spareByteCount -= state.bytes[key]?.count ?? 0
            }
            state.spare.removeAll { $0.owner == owner }
            state.bytes = state.bytes.filter { $0.key.owner != owner }
            return grantInLine(&state)
        }
        for request in granted { request.onGranted() }
    }

    // MARK: Details

    private func fits(_ claim: Claim, _ state: State) -> Bool {
        state.claimedByteCount + claim.byteCount <= byteCountMax
    }

    /// Gives room to who stands first, for as long as there is enough for him: a large reader is not
    /// overtaken for ever by small ones.
    private func grantInLine(_ state: inout State) -> [Request] {
        var granted: [Request] = []
        while let first = state.requests.first, fits(first.claim, state) {
            state.requests.removeFirst()
            grant(first.claim, to: first.claimant, &state)
            granted.append(first)
        }
        return granted
    }

    private func grant(_ claim: Claim, to claimant: Claimant, _ state: inout State) {
        state.spare.removeAll { key in
            guard key.owner == claimant.owner, claim.blocks.contains(key.block) else {
                return false
            }
            state.spareByteCount -= state.bytes[key]?.count ?? 0
            return true
        }
        state.claims[claimant.owner, default: [:]][claimant.reader] = claim
        state.claimedByteCount += claim.byteCount
        dropSpare(&state)
    }

    private func makeSpare(_ blocks: Range<Int>, of owner: Int, _ state: inout State) {
        for key in blocks.lazy.map({ Key(owner: owner, block: $0) }) where !state.isClaimed(key) {
            guard let count = state.bytes[key]?.count else { continue }
            state.spare.append(key)
            state.spareByteCount += count
        }
        dropSpare(&state)
    }

    private func dropSpare(_ state: inout State) {
        while state.claimedByteCount + state.spareByteCount > byteCountMax,
            let oldest = state.spare.popFirst()
        {
            state.spareByteCount -= state.bytes.removeValue(forKey: oldest)?.count ?? 0
        }
    }
}
