import Platform

/// Why a fetch was started.
enum FetchUrgency: Equatable {
    /// A reader waits.
    case demand
    /// A stream is expected to come here; its number is the stream detector's.
    case prefetch(stream: Int)
}

/// A fetch to start.
struct FetchOrder: Equatable {
    let number: Int
    let blocks: Range<Int>
    let urgency: FetchUrgency
}

/// When a board asks again and when it gives up.
struct TransferLimits {
    /// No block of a waiter for this long: it fails.
    var timeoutSeconds = 30.0
    /// No block of a fetch for this long: who waits for it asks again.
    var hedgeSeconds = 3.0
    /// A block further than this behind a fetch's position is asked for by itself: its reader
    /// should not wait for all that comes before it.
    var reachBlocks = 96
    /// Largest range of one demand order.
    var orderBlocksMax = 256
    /// Times a waiter asks again for blocks that stalled, or came and went again.
    var retryCountMax = 3
}

/// What a change of the board asks its owner to do, outside of its lock.
struct TransferActions<Parked> {
    var orders: [FetchOrder] = []
    /// Fetches to cancel.
    var cancelled: [Int] = []
    /// Readers whose blocks are all present.
    var ready: [Parked] = []
    var timedOut: [Parked] = []
    /// Readers whose blocks a failed fetch was to bring.
    var failed: [Parked] = []
    /// Readers for whose blocks there is never room.
    var refused: [Parked] = []
}

/// Who waits for which blocks of one content, and which fetches are to bring them.
///
/// Pure: it knows neither threads nor the network. Its owner calls it under a lock, then starts
/// and cancels fetches and answers readers outside of it. Single flight, the hedging of stalled
/// fetches and the read time-out are decided here.
///
/// A waiter is filed under the first block it lacks and moves on when that block arrives, so the
/// arrival of a block costs only those who wait for that block. One that awaits room for its blocks
/// is filed nowhere and nothing is fetched for it, until it has found room or its time is up.
struct TransferBoard<Parked> {
    typealias Actions = TransferActions<Parked>

    private struct Waiter {
        let blocks: Range<Int>
        let parked: Parked
        var lastProgress: MonotonicInstant
        var retryCount = 0
        var awaitsRoom = false
    }

    private struct Fetch {
        let blocks: Range<Int>
        let urgency: FetchUrgency
        /// The first block that has not come yet.
        var position: Int
        /// Its start, or when its last block came.
        var lastSign: MonotonicInstant
        var hasBlocks = false
        var isCancelled = false

        var rest: Range<Int> { min(position, blocks.upperBound)..<blocks.upperBound }
    }

    private let limits: TransferLimits
    private var waiters: [Int: Waiter] = [:]
    /// Waiters by the first block they lack. Invariant: every waiter that does not await room is in
    /// exactly one list.
    private var waitersByBlock: [Int: [Int]] = [:]
    private var fetches: [Int: Fetch] = [:]
    private var lastNumber = 0

    init(limits: TransferLimits) { self.limits = limits }

    var isIdle: Bool { waiters.isEmpty && fetches.isEmpty }
    var waiterCount: Int { waiters.count }
    var fetchCount: Int { fetches.count }

    /// Whether a fetch is still wanted; its bytes are welcome either way.
    func isWanted(_ number: Int) -> Bool { fetches[number]?.isCancelled == false }

    // MARK: Readers

    /// A number for the next reader.
    mutating func newNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    /// Parks a reader until all of `blocks` are present.
    ///
    /// - Parameters:
    ///   - number: From `newNumber`.
    ///   - awaitsRoom: `foundRoom` comes first.
    /// - Returns: false when everything is present already.
    mutating func park(
        _ parked: Parked, number: Int, blocks: Range<Int>, awaitsRoom: Bool,
        now: MonotonicInstant, actions: inout Actions, isPresent: (Int) -> Bool
    ) -> Bool {
        let first = blocks.first { !isPresent($0) }
        guard awaitsRoom || first != nil else { return false }
        waiters[number] = Waiter(
            blocks: blocks, parked: parked, lastProgress: now, awaitsRoom: awaitsRoom)
        guard !awaitsRoom, let first else { return true }
        waitersByBlock[first, default: []].append(number)
        order(blocks, now: now, &actions, isPresent: isPresent)
        return true
    }

    /// Takes a reader off the board; demand fetches that nobody else waits for are cancelled.
    ///
    /// - Returns: nil when it was answered already.
    mutating func cancelWaiter(_ number: Int, actions: inout Actions) -> Parked? {
        guard let waiter = remove(number) else { return nil }
        cancelAbandoned(touching: waiter.blocks, &actions)
        return waiter.parked
    }

    /// Takes everybody off the board and cancels every fetch.
    mutating func removeAll(actions: inout Actions) -> [Parked] {
        // No key path: where a type is generic, each use of one makes it anew, at 10 µs.
        let parked = waiters.values.map { $0.parked }
        waiters = [:]
        waitersByBlock = [:]
        for number in Array(fetches.keys) { cancel(number, &actions) }
        return parked
    }

    // MARK: Room

    /// Readers who wait for a block, but not for room.
    func readers(of block: Int) -> [(number: Int, blocks: Range<Int>)] {
        waiters.compactMap { number, waiter in
            guard !waiter.awaitsRoom, waiter.blocks.contains(block) else { return nil }
            return (number, waiter.blocks)
        }
    }

    /// Lets a reader wait for room; what is fetched for nobody else is cancelled.
    mutating func awaitRoom(_ number: Int, actions: inout Actions) {
        guard let waiter = waiters[number], !waiter.awaitsRoom else { return }
        unfile(number, waiter.blocks)
        waiters[number]?.awaitsRoom = true
        cancelAbandoned(touching: waiter.blocks, &actions)
    }

    /// Lets a reader that awaited room wait for its blocks. Its time begins anew: it could not have
    /// had them before.
    mutating func foundRoom(
        _ number: Int, now: MonotonicInstant, actions: inout Actions, isPresent: (Int) -> Bool
    ) {
        guard let waiter = waiters[number], waiter.awaitsRoom else { return }
        guard let first = waiter.blocks.first(where: { !isPresent($0) }) else {
            waiters[number] = nil
            actions.ready.append(waiter.parked)
            return
        }
        waiters[number] = Waiter(blocks: waiter.blocks, parked: waiter.parked, lastProgress: now)
        waitersByBlock[first, default: []].append(number)
        order(waiter.blocks, now: now, &actions, isPresent: isPresent)
    }

    /// Takes a reader off the board for whom there is never room.
    mutating func refuse(_ number: Int, actions: inout Actions) {
        guard let waiter = remove(number) else { return }
        actions.refused.append(waiter.parked)
        cancelAbandoned(touching: waiter.blocks, &actions)
    }

    /// Cancels a fetch unless a reader waits for what it is still to bring.
    mutating func cancelUnawaited(_ number: Int, actions: inout Actions) {
        if let fetch = fetches[number], !isAwaited(fetch) { cancel(number, &actions) }
    }

    // MARK: Prefetch

    /// Orders the blocks of a range that are neither present nor on their way.
    ///
    /// - Parameter mayOrder: Asked before each order with its blocks; false ends the series.
    /// - Returns: the first block not dealt with: the range's end unless `mayOrder` refused.
    mutating func prefetch(
        _ blocks: Range<Int>, chunkBlocks: Int, stream: Int, now: MonotonicInstant,
        actions: inout Actions, isPresent: (Int) -> Bool, mayOrder: (Range<Int>) -> Bool
    ) -> Int {
        func isMissing(_ block: Int) -> Bool {
            !isPresent(block) && !isOnItsWay(block, reach: .max, now)
        }
        var block = blocks.lowerBound
        while block < blocks.upperBound {
            guard isMissing(block) else {
                block += 1
                continue
            }
            let last = min(blocks.upperBound, block + chunkBlocks)
            let end = (block + 1..<last).first { !isMissing($0) } ?? last
            guard mayOrder(block..<end) else { return block }
            start(block..<end, .prefetch(stream: stream), now: now, &actions)
            block = end
        }
        return blocks.upperBound
    }

    /// Cancels what was fetched ahead for streams that ended, except what readers wait for.
    mutating func endStreams(_ streams: Set<Int>, actions: inout Actions) {
        for (number, fetch) in Array(fetches) {
            guard case .prefetch(let stream) = fetch.urgency, streams.contains(stream),
                !isAwaited(fetch)
            else { continue }
            cancel(number, &actions)
        }
    }

    // MARK: Fetches

    /// Records that a fetch brought adjoining blocks, and finds the readers they complete.
    mutating func arrived(
        _ blocks: Range<Int>, of number: Int, now: MonotonicInstant, actions: inout Actions,
        isPresent: (Int) -> Bool
    ) {
        fetches[number]?.position = blocks.upperBound
        fetches[number]?.lastSign = now
        fetches[number]?.hasBlocks = true
        for block in blocks { wake(block, now: now, &actions, isPresent: isPresent) }
    }

    /// Records the end of a fetch, and what becomes of those who counted on it.
    ///
    /// - Parameter isFailure: It ended without all of its bytes. A cancelled fetch fails nobody, and
    ///   a guess only those who may not ask again.
    mutating func ended(
        _ number: Int, isFailure: Bool, now: MonotonicInstant, actions: inout Actions,
        isPresent: (Int) -> Bool
    ) {
        guard let fetch = fetches.removeValue(forKey: number) else { return }
        for (waiterNumber, waiter) in Array(waiters)
        where !waiter.awaitsRoom && waiter.blocks.overlaps(fetch.blocks) {
            // A block outside of the fetch counts too: it may have been pushed out meanwhile.
            let lacking = waiter.blocks.filter {
                !isPresent($0) && !isOnItsWay($0, reach: limits.reachBlocks, now)
            }
            guard !lacking.isEmpty else { continue }
            let mayRetry = waiter.retryCount < limits.retryCountMax
            let isFinal =
                isFailure && !fetch.isCancelled && (fetch.urgency == .demand || !mayRetry)
            if isFinal, lacking.contains(where: fetch.blocks.contains) {
                if let removed = remove(waiterNumber) { actions.failed.append(removed.parked) }
            } else if mayRetry {
                waiters[waiterNumber]?.retryCount += 1
                order(waiter.blocks, now: now, &actions, isPresent: isPresent)
            }
            // Else a fetch that stalled may still bring it, or the reader's time is up.
        }
    }

    /// Looks after what time has done: blocks that came by another process, stalled fetches,
    /// time-outs. To be called about once a second while the board is not idle.
    mutating func tick(
        now: MonotonicInstant, actions: inout Actions, isPresent: (Int) -> Bool
    ) {
        for block in Array(waitersByBlock.keys) {
            wake(block, now: now, &actions, isPresent: isPresent)
        }
        for number in Array(waiters.keys) {
            lookAfter(number, now: now, &actions, isPresent: isPresent)
        }
        for (number, fetch) in Array(fetches) where !fetch.isCancelled {
            let isStuck = now.seconds(since: fetch.lastSign) > limits.timeoutSeconds
            if fetch.rest.allSatisfy(isPresent) || (isStuck && !isAwaited(fetch)) {
                cancel(number, &actions)
            }
        }
    }

    // MARK: Details

    private mutating func lookAfter(
        _ number: Int, now: MonotonicInstant, _ actions: inout Actions, isPresent: (Int) -> Bool
    ) {
        guard let waiter = waiters[number] else { return }
        let signs = fetches.values.lazy.filter { fetch in
            !waiter.awaitsRoom && fetch.hasBlocks && !fetch.isCancelled
                && fetch.rest.overlaps(waiter.blocks)
        }
        let progress = max(waiter.lastProgress, signs.map(\.lastSign).max() ?? waiter.lastProgress)
        waiters[number]?.lastProgress = progress
        if now.seconds(since: progress) > limits.timeoutSeconds {
            if let removed = remove(number) { actions.timedOut.append(removed.parked) }
            cancelAbandoned(touching: waiter.blocks, &actions)
        } else if !waiter.awaitsRoom, waiter.retryCount < limits.retryCountMax {
            let before = actions.orders.count
            order(waiter.blocks, now: now, &actions, isPresent: isPresent)
            if actions.orders.count > before { waiters[number]?.retryCount += 1 }
        }
    }

    private mutating func wake(
        _ block: Int, now: MonotonicInstant, _ actions: inout Actions, isPresent: (Int) -> Bool
    ) {
        guard isPresent(block), let numbers = waitersByBlock.removeValue(forKey: block) else {
            return
        }
        for number in numbers {
            guard let waiter = waiters[number] else { continue }
            if let next = waiter.blocks.first(where: { !isPresent($0) }) {
                waiters[number]?.lastProgress = now
                waitersByBlock[next, default: []].append(number)
            } else {
                waiters[number] = nil
                actions.ready.append(waiter.parked)
            }
        }
    }

    /// Orders, as demand, what of `blocks` is missing and not about to come.
    private mutating func order(
        _ blocks: Range<Int>, now: MonotonicInstant, _ actions: inout Actions,
        isPresent: (Int) -> Bool
    ) {
        var run: Range<Int>?
        for block in blocks {
            let isMissing = !isPresent(block) && !isOnItsWay(block, reach: limits.reachBlocks, now)
            if isMissing, let open = run, open.count < limits.orderBlocksMax {
                run = open.lowerBound..<block + 1
                continue
            }
            if let open = run { start(open, .demand, now: now, &actions) }
            run = isMissing ? block..<block + 1 : nil
        }
        if let open = run { start(open, .demand, now: now, &actions) }
    }

    private mutating func start(
        _ blocks: Range<Int>, _ urgency: FetchUrgency, now: MonotonicInstant,
        _ actions: inout Actions
    ) {
        lastNumber += 1
        fetches[lastNumber] = Fetch(
            blocks: blocks, urgency: urgency, position: blocks.lowerBound, lastSign: now)
        actions.orders.append(FetchOrder(number: lastNumber, blocks: blocks, urgency: urgency))
    }

    private func isOnItsWay(_ block: Int, reach: Int, _ now: MonotonicInstant) -> Bool {
        fetches.values.contains { fetch in
            !fetch.isCancelled && fetch.rest.contains(block) && block - fetch.position <= reach
                && now.seconds(since: fetch.lastSign) < limits.hedgeSeconds
        }
    }

    private func isAwaited(_ fetch: Fetch) -> Bool {
        waiters.values.contains { !$0.awaitsRoom && $0.blocks.overlaps(fetch.rest) }
    }

    private mutating func cancelAbandoned(touching blocks: Range<Int>, _ actions: inout Actions) {
        for (number, fetch) in Array(fetches) {
            guard fetch.urgency == .demand, fetch.blocks.overlaps(blocks), !isAwaited(fetch) else {
                continue
            }
            cancel(number, &actions)
        }
    }

    private mutating func cancel(_ number: Int, _ actions: inout Actions) {
        guard fetches[number]?.isCancelled == false else { return }
        fetches[number]?.isCancelled = true
        actions.cancelled.append(number)
    }

    private mutating func remove(_ number: Int) -> Waiter? {
        guard let waiter = waiters.removeValue(forKey: number) else { return nil }
        unfile(number, waiter.blocks)
        return waiter
    }

    private mutating func unfile(_ number: Int, _ blocks: Range<Int>) {
        for block in blocks {
            guard let index = waitersByBlock[block]?.firstIndex(of: number) else { continue }
            waitersByBlock[block]?.remove(at: index)
            if waitersByBlock[block]?.isEmpty == true { waitersByBlock[block] = nil }
        }
    }
}
