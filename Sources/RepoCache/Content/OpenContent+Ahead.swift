import HubClient
import Platform

extension OpenContent {
    /// Stands for a stream on the board where no stream asks.
    private static let aheadStream = 0

    /// Orders, as guesses, what of a range is neither here nor on its way.
    ///
    /// - Parameters:
    ///   - chunkBytes: Largest range of one request.
    ///   - isSure: See `AheadItem`.
    ///   - onStart: Called for each request, under the lock of the board.
    ///   - onEnd: Called once for each of them, on any thread, without locks.
    /// - Returns: the first byte not dealt with: the range's end, unless a budget is full.
    func fetchAhead(
        _ range: Range<UInt64>, chunkBytes: UInt64, isSure: Bool, onStart: () -> Void,
        onEnd: @escaping @Sendable (Result<Void, HubError>) -> Void
    ) -> UInt64 {
        guard !isHere(range) else { return range.upperBound }
        let blocks = servesWhole ? geometry.all : geometry.blocks(touching: range)
        var actions = TransferActions<Parked>()
        var isFull = false
        let end = transfers.withLock { transfers -> Int? in
            guard transfers.failure == nil, state == .partial else { return nil }
            var taken: [UInt64] = []
            let end = transfers.board.prefetch(
                blocks, chunkBlocks: Int(chunkBytes / geometry.blockBytes),
                stream: Self.aheadStream, now: services.now, actions: &actions,
                isPresent: { isPresent($0) },
                mayOrder: { blocks in
                    let bytes = UInt64(geometry.bytes(ofBlocks: blocks).count)
                    // Without disk room nothing that is not waited for is kept.
                    guard services.ledger.hasRoom(for: bytes) else { return false }
                    isFull = !services.aheadBudget.take(bytes, isSure: isSure)
                    if !isFull { taken.append(bytes) }
                    return !isFull
                })
            for (order, bytes) in zip(actions.orders, taken) {
                onStart()
                transfers.aheadEnds[order.number] = { [services] result in
                    services.aheadBudget.giveBack(bytes)
                    onEnd(result)
                }
            }
            return end
        }
        perform(actions)
        // What may not be fetched, or not be kept, is dealt with.
        guard let end, end < blocks.upperBound, isFull else { return range.upperBound }
        return min(
            max(geometry.bytes(ofBlocks: 0..<end).upperBound, range.lowerBound), range.upperBound)
    }

    /// Tells who learns the order of reads, unless all of the range was read since this was opened. What
    /// is fetched whole counts as read whole.
    func noteFirstRead(_ range: Range<UInt64>) {
        let blocks = servesWhole ? 0..<1 : geometry.blocks(touching: range)
        guard touched.insert(blocks) else { return }
        services.read(
            servesWhole ? 0..<geometry.size : geometry.bytes(ofBlocks: blocks), of: location)
    }

    /// Tells him that the kernel reads the content by itself from now on.
    package func noteKernelReads() {
        services.kernelReads(location)
        noteUnseenUse()
    }

    /// Whether all of a range is on disk or about to be.
    private func isHere(_ range: Range<UInt64>) -> Bool {
        switch body {
        case .row: holdsRow
        case .lower: true
        case .file(let file):
            state >= .verified || file.sidecar.arePresent(geometry.blocks(touching: range))
        case .memory: true
        }
    }
}
