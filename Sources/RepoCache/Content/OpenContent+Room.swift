import HubClient
import Platform

/// What happens to blocks the disk has no room for: see `UnkeptBlocks`.
///
/// A reader claims room when the first of its blocks is refused by the disk, or when it counts on
/// blocks that are in memory. From then on its blocks stay until it was answered. A reader that finds
/// no room is parked without a fetch of its own, no longer than the read time-out. Readahead never
/// claims: it takes what room is left before it asks, and what comes without is let go.
extension OpenContent {
    /// How a reader was put on the board.
    enum Placement {
        case parked
        /// All its blocks are here.
        case present
        /// They are more than there is ever room for.
        case tooLarge
    }

    /// Puts a reader on the board, claiming room if it counts on blocks that may be pushed out.
    func place(
        _ parked: Parked, number: Int, blocks: Range<Int>, _ transfers: inout Transfers,
        _ actions: inout TransferActions<Parked>
    ) -> Placement {
        var awaitsRoom = false
        if usesMemory(blocks) {
            switch claimRoom(number, blocks) {
            case .granted: break
            case .awaited: awaitsRoom = true
            case .tooLarge: return .tooLarge
            }
        }
        let isParked = transfers.board.park(
            parked, number: number, blocks: blocks, awaitsRoom: awaitsRoom, now: services.now,
            actions: &actions, isPresent: { isPresent($0) })
        return isParked ? .parked : .present
    }

    /// Whether any of these blocks is in memory alone.
    func usesMemory(_ blocks: Range<Int>) -> Bool {
        !isRow && services.unkept.containsAny(of: blocks, owner: number)
    }

    /// - Parameter standsInLine: Without it, `.awaited` leaves no trace.
    func claimRoom(
        _ reader: Int, _ blocks: Range<Int>, standsInLine: Bool = true
    ) -> UnkeptBlocks.Room {
        let byteCount = blocks.reduce(0) { sum, block in
            if case .file(let file) = body, file.sidecar.isPresent(block) { return sum }
            return sum + geometry.bytes(ofBlock: block).count
        }
        let onGranted: @Sendable () -> Void = { [weak self] in
            guard let self else { return }
            // Whoever gave the room back has readers of its own to answer. Without a worker the
            // cache closes, and closing answers everybody.
            _ = services.ticker.submit { self.foundRoom(reader) }
        }
        return services.unkept.claim(
            claimant(reader), blocks: blocks, byteCount: byteCount,
            onGranted: standsInLine ? onGranted : nil)
    }

    /// To be called when a reader was answered. Called without locks.
    func releaseRoom(_ reader: Int) { services.unkept.release(claimant(reader)) }

    /// Why a reader's time is up.
    func timeOutError(of parked: Parked) -> CacheError {
        switch parked {
        case .read(_, let offset, let count, let number):
            services.unkept.isAwaiting(claimant(number))
                ? .full(location.content)
                : .timedOut(location.content, offset: offset, count: count)
        case .whole(let number):
            services.unkept.isAwaiting(claimant(number))
                ? .full(location.content)
                : .timedOut(location.content, offset: 0, count: Int(geometry.size))
        }
    }

    /// Keeps blocks that the disk refused for those who wait for them. Called without locks.
    ///
    /// - Parameter fetch: What brought them; it is cancelled when it was a guess without room in memory
    ///   that nobody waits for: the rest would be let go as well.
    func keepInMemory(
        _ bytes: UnsafeRawBufferPointer, blocks: Range<Int>, of fetch: Int,
        _ actions: inout TransferActions<Parked>
    ) {
        for block in blocks {
            keepInMemory(
                geometry.cut(bytes, of: blocks, to: block..<block + 1), block: block, of: fetch,
                &actions)
        }
    }

    private func keepInMemory(
        _ bytes: UnsafeRawBufferPointer, block: Int, of fetch: Int,
        _ actions: inout TransferActions<Parked>
    ) {
        let (isAwaited, isAhead) = transfers.withLock { transfers in
            let readers = transfers.board.readers(of: block)
            for (reader, blocks) in readers {
                switch claimRoom(reader, blocks) {
                case .granted: break
                case .awaited: transfers.board.awaitRoom(reader, actions: &actions)
                case .tooLarge: transfers.board.refuse(reader, actions: &actions)
                }
            }
            let isAhead = transfers.budgeted[fetch]?.isInMemory == true
            if readers.isEmpty, !isAhead {
                transfers.board.cancelUnawaited(fetch, actions: &actions)
            }
            return (!readers.isEmpty, isAhead)
        }
        guard isAwaited || isAhead else { return }
        services.unkept.insert(
            bytes, for: UnkeptBlocks.Key(owner: number, block: block),
            fetchedAheadAt: isAwaited ? nil : services.now)
    }

    private func foundRoom(_ reader: Int) {
        var actions = TransferActions<Parked>()
        transfers.withLock { transfers in
            transfers.board.foundRoom(
                reader, now: services.now, actions: &actions, isPresent: { isPresent($0) })
        }
        perform(actions)
    }

    private func claimant(_ reader: Int) -> UnkeptBlocks.Claimant {
        UnkeptBlocks.Claimant(owner: number, reader: reader)
    }
}
