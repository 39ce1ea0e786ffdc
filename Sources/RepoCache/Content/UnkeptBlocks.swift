import DequeModule
import Platform

/// Blocks that the disk has no room for, in memory within a budget.
///
/// One per cache. A reader whose blocks do not go to disk claims room for all it lacks at once, and
/// stands in line while there is none: with room for a part only, readers would hold what the others
/// need. Claimed blocks stay; what nobody claims any more is spare and makes room, oldest first. A
/// second read of it may find it, or fetches again.
///
/// What streams fetch ahead is spare from the start, and is bounded before it is asked for: what is on its
/// way and what came and was not read take half of the budget at most, and what readers claim comes first.
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
        /// Of the spare ones those that were fetched ahead and nobody has read, and when they came.
        var unread: [Key: MonotonicInstant] = [:]
        var unreadByteCount = 0
        /// Bytes fetched ahead that are on their way.
        var comingByteCount = 0

        mutating func markRead(_ key: Key) {
            guard unread.removeValue(forKey: key) != nil else { return }
            unreadByteCount -= bytes[key]?.count ?? 0
        }

        func isClaimed(_ key: Key) -> Bool {
            claims[key.owner]?.values.contains { $0.blocks.contains(key.block) } ?? false
        }

        func isAwaiting(_ claimant: Claimant) -> Bool {
            requests.contains { $0.claimant == claimant }
        }
    }

    /// After so long what was fetched ahead and not read makes room for more: its reader went elsewhere.
    static let staleSeconds = 10.0

    private let byteCountMax: Int
    private let state = Guarded(State(), rank: .leaf)

    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    /// What the budget is used for.
    var memory: CacheFigures.Budget {
        let used = state.withLock { $0.claimedByteCount + $0.spareByteCount }
        return CacheFigures.Budget(usedBytes: UInt64(used), limitBytes: UInt64(byteCountMax))
    }

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

    // MARK: Readahead

    /// Bytes of one request ahead: several are to be under way, and some to have come.
    var aheadChunkBytes: UInt64 { UInt64(byteCountMax / 16) }

    /// Takes room for a fetch of a stream that runs ahead of its reader.
    ///
    /// - Returns: false when there is none; nothing was taken. Else `endAhead` is to be called.
    func takeAhead(_ byteCount: Int, now: MonotonicInstant) -> Bool {
        state.withLock { state in
            if !mayCome(byteCount, state) { dropStale(&state, now: now) }
            guard mayCome(byteCount, state) else { return false }
            state.comingByteCount += byteCount
            return true
        }
    }

    /// Ends what `takeAhead` began, with the same number.
    func endAhead(_ byteCount: Int) { state.withLock { $0.comingByteCount -= byteCount } }

    private func mayCome(_ byteCount: Int, _ state: State) -> Bool {
        state.claimedByteCount + state.comingByteCount + state.unreadByteCount + byteCount
            <= byteCountMax / 2
    }

    private func dropStale(_ state: inout State, now: MonotonicInstant) {
        let stale = Set(
            state.unread.lazy.filter { now.seconds(since: $0.value) > Self.staleSeconds }.map(\.key)
        )
        guard !stale.isEmpty else { return }
        state.spare.removeAll { stale.contains($0) }
        for key in stale { state.spareByteCount -= remove(key, &state) }
    }

    // MARK: Blocks

    /// Keeps a copy of a block: for as long as it is claimed, else as a spare one.
    ///
    /// - Parameter arrival: When it came, if it was fetched ahead.
    func insert(
        _ block: UnsafeRawBufferPointer, for key: Key,
        fetchedAheadAt arrival: MonotonicInstant? = nil
    ) {
        let copy = Array(block)
        state.withLock { state in
            guard state.bytes[key] == nil else { return }
            state.bytes[key] = copy
            guard !state.isClaimed(key) else { return }
            state.spare.append(key)
            state.spareByteCount += copy.count
            if let arrival {
                state.unread[key] = arrival
                state.unreadByteCount += copy.count
            }
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
            state.markRead(key)
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
                state.spareByteCount -= remove(key, &state)
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
        let claimed = state.spare.filter {
            $0.owner == claimant.owner && claim.blocks.contains($0.block)
        }
        for key in claimed {
            state.spareByteCount -= state.bytes[key]?.count ?? 0
            state.markRead(key)
        }
        if !claimed.isEmpty { state.spare.removeAll { claimed.contains($0) } }
        state.claims[claimant.owner, default: [:]][claimant.reader] = claim
        state.claimedByteCount += claim.byteCount
        dropSpare(&state)
    }

    /// What was read makes room before what was not.
    private func makeSpare(_ blocks: Range<Int>, of owner: Int, _ state: inout State) {
        for key in blocks.lazy.map({ Key(owner: owner, block: $0) }) where !state.isClaimed(key) {
            guard let count = state.bytes[key]?.count else { continue }
            state.spare.prepend(key)
            state.spareByteCount += count
        }
        dropSpare(&state)
    }

    private func dropSpare(_ state: inout State) {
        while state.claimedByteCount + state.spareByteCount > byteCountMax,
            let oldest = state.spare.popFirst()
        {
            state.spareByteCount -= remove(oldest, &state)
        }
    }

    /// - Returns: how many bytes the block had.
    private func remove(_ key: Key, _ state: inout State) -> Int {
        state.markRead(key)
        return state.bytes.removeValue(forKey: key)?.count ?? 0
    }
}
