import HubClient
import Logging
import Platform
import Synchronization

extension OpenContent {
    // MARK: Readahead

    /// Lets readahead learn from a read and fetches what it wishes for.
    func noteRead(_ range: Range<UInt64>) {
        guard !servesWhole else { return }
        learnLayout()
        let (wish, ended, consumed) = streams.withLock { streams in
            let (wish, ended) = streams.read(range, now: services.now)
            return (wish, ended, streams.consumedBytes(upTo: range.upperBound))
        }
        if let wish { prefetch(wish) }
        if ShardPrefetch.isTold(consumed, after: UInt64(range.count), size: geometry.size) {
            services.streamed(location)
        }
        guard !ended.isEmpty else { return }
        var actions = TransferActions<Parked>()
        transfers.withLock { $0.board.endStreams(ended, actions: &actions) }
        perform(actions)
    }

    /// Fetches what streams still wish for, after the budget had refused it.
    func resumePrefetch() {
        for wish in streams.withLock({ $0.wishes() }) { prefetch(wish) }
    }

    private func prefetch(_ wish: StreamDetector.Wish) {
        var actions = TransferActions<Parked>()
        let blocks = geometry.blocks(touching: wish.bytes)
        let chunkBytes =
            canKeep(wish.chunkBytes)
            ? wish.chunkBytes : min(wish.chunkBytes, services.unkept.aheadChunkBytes)
        let end = transfers.withLock { transfers -> Int? in
            guard transfers.failure == nil, state == .partial else { return nil }
            var taken: [Budgeted] = []
            let end = transfers.board.prefetch(
                blocks, chunkBlocks: max(1, Int(chunkBytes / geometry.blockBytes)),
                stream: wish.stream, now: services.now, actions: &actions,
                isPresent: { isPresent($0) },
                mayOrder: { blocks in
                    let room = takeRoomAhead(UInt64(geometry.bytes(ofBlocks: blocks).count))
                    if let room { taken.append(room) }
                    return room != nil
                })
            for (order, room) in zip(actions.orders, taken) {
                transfers.budgeted[order.number] = room
            }
            return end
        }
        guard let end else { return }
        let bytes = geometry.bytes(ofBlocks: 0..<end)
        streams.withLock { $0.requested(wish.stream, upTo: bytes.upperBound) }
        // Without disk room the next read looks again.
        if end < blocks.upperBound, canKeep(0) { registry.addHungry(self) }
        perform(actions)
    }

    /// Takes what a prefetch needs, with room in memory where the disk has none.
    ///
    /// - Returns: nil when there is not enough of something; nothing was taken.
    private func takeRoomAhead(_ byteCount: UInt64) -> Budgeted? {
        guard services.budget.take(byteCount) else { return nil }
        if canKeep(byteCount) { return Budgeted(byteCount: byteCount, isInMemory: false) }
        if services.unkept.takeAhead(Int(byteCount), now: services.now) {
            return Budgeted(byteCount: byteCount, isInMemory: true)
        }
        services.budget.giveBack(byteCount)
        return nil
    }

    /// Whether the disk has room for `bytes` of what is fetched ahead.
    private func canKeep(_ bytes: UInt64) -> Bool {
        if case .file = body { services.ledger.hasRoom(for: bytes) } else { false }
    }

    // MARK: Fetches

    /// Does what the board decided. Called without locks.
    func perform(_ actions: TransferActions<Parked>) {
        for order in actions.orders { start(order) }
        for number in actions.cancelled {
            transfers.withLock { $0.handles[number] }?.cancel()
        }
        answer(actions.ready, .success(()))
        answer(actions.refused, .failure(.full(location.content)))
        // Whoever is answered makes room for others: so all errors come first.
        let timedOut = actions.timedOut.map { (parked: $0, error: timeOutError(of: $0)) }
        for (parked, error) in timedOut { answer([parked], .failure(error)) }
    }

    private func start(_ order: FetchOrder) {
        let isDemand = order.urgency == .demand
        let fetch = services.origin.fetch(
            location, range: geometry.bytes(ofBlocks: order.blocks),
            priority: isDemand ? .demand : .prefetch,
            into: BlockReceiver(self, order: order))
        // It may have ended, or been cancelled, before we hold it.
        let isWanted = transfers.withLock { transfers in
            guard transfers.board.isWanted(order.number) else { return false }
            transfers.handles[order.number] = fetch
            return true
        }
        if !isWanted { fetch.cancel() }
        if isDemand {
            if servesWhole { services.missed(location.content) }
            startTicking()
        }
    }

    /// Answers parked readers; those who wait for the whole content go on to its verification.
    func answer(_ parked: [Parked], _ result: Result<Void, CacheError>) {
        if case .failure(let error) = result { remember(error, of: parked) }
        for entry in parked {
            switch (entry, result) {
            case (.read(let completion, _, _, let number), _):
                completion(result)
                releaseRoom(number)
            case (.whole, .success):
                startVerifying()
            case (.whole, .failure):
                answerDeferred(result)
            }
        }
    }

    /// Lets reads that follow at once fail as quickly as these were slow.
    private func remember(_ error: CacheError, of parked: [Parked]) {
        switch error {
        case .timedOut, .hub, .full: break
        case .integrity, .disk, .database, .networkFolder, .unknownFormat, .listingTooLong,
            .cancelled, .closed:
            return
        }
        transfers.withLock { transfers in
            for entry in parked {
                switch entry {
                case .read(_, let offset, let count, _):
                    transfers.recentFailures.add(
                        error, offset..<offset + UInt64(count), now: services.now)
                case .whole:
                    transfers.recentFailures.add(error, 0..<geometry.size, now: services.now)
                }
            }
        }
    }

    /// Stores adjoining blocks that a fetch brought, and wakes who waits for them.
    ///
    /// - Parameter isAhead: Nobody had asked for them when they were ordered.
    /// - Returns: false when the fetch is not wanted any more.
    func store(
        _ bytes: UnsafeRawBufferPointer, blocks: Range<Int>, of number: Int, isAhead: Bool
    ) -> Bool {
        let missing = transfers.withLock { transfers -> [Range<Int>]? in
            guard transfers.failure == nil else { return nil }
            let missing = blocks.runs { !isPresent($0) && !transfers.writing.contains($0) }
            for run in missing { transfers.writing.formUnion(run) }
            return missing
        }
        guard let missing else { return false }
        var actions = TransferActions<Parked>()
        let isSound = missing.allSatisfy { run in
            keep(geometry.cut(bytes, of: blocks, to: run), blocks: run, of: number, &actions)
        }
        // Before those are woken who wait for them.
        if isSound { noteStored(missing, isAhead: isAhead) }
        let (isWhole, isWanted) = transfers.withLock { transfers in
            for run in missing { transfers.writing.subtract(run) }
            transfers.board.arrived(
                blocks, of: number, now: services.now, actions: &actions,
                isPresent: { isPresent($0) })
            return (isWholeInFile(&transfers), transfers.board.isWanted(number))
        }
        guard isSound else {
            drop()
            return false
        }
        perform(actions)
        if isWhole { startVerifying() }
        return isWanted
    }

    /// Puts adjoining blocks on disk, else into memory.
    ///
    /// - Returns: false when they are the whole content and its digest is wrong.
    private func keep(
        _ bytes: UnsafeRawBufferPointer, blocks: Range<Int>, of fetch: Int,
        _ actions: inout TransferActions<Parked>
    ) -> Bool {
        switch body {
        case .row:
            var digest = ContentDigest(of: location.content, size: geometry.size)
            digest.update(bytes)
            guard digest.matches else { return false }
            let writes = services.reserve(SmallContents.chargedBytes(bytes.count))
            services.small.insert(Array(bytes), for: location.content, writes: writes)
            isRowAbsent.store(!writes, ordering: .releasing)
        case .file(let file):
            guard services.reserve(UInt64(bytes.count)) else {
                keepInMemory(bytes, blocks: blocks, of: fetch, &actions)
                break
            }
            defer { services.ledger.settle(UInt64(bytes.count)) }
            do {
                try file.write(bytes, blocks: blocks)
            } catch {
                services.logger.warning(
                    "\(location.content.hex) blocks \(blocks) not kept: \(error)")
                keepInMemory(bytes, blocks: blocks, of: fetch, &actions)
            }
        case .memory, .lower:
            keepInMemory(bytes, blocks: blocks, of: fetch, &actions)
        }
        return true
    }

    /// Records the end of a fetch.
    func ended(_ number: Int, _ result: Result<Void, HubError>) {
        var actions = TransferActions<Parked>()
        let (budgeted, aheadEnd) = transfers.withLock { transfers in
            transfers.handles[number] = nil
            let isFailure = if case .failure = result { true } else { false }
            transfers.board.ended(
                number, isFailure: isFailure, now: services.now, actions: &actions,
                isPresent: { isPresent($0) })
            return (
                transfers.budgeted.removeValue(forKey: number),
                transfers.aheadEnds.removeValue(forKey: number)
            )
        }
        perform(actions)
        if case .failure(let error) = result { answer(actions.failed, .failure(.hub(error))) }
        aheadEnd?(result)
        guard let budgeted else { return }
        services.budget.giveBack(budgeted.byteCount)
        if budgeted.isInMemory { services.unkept.endAhead(Int(budgeted.byteCount)) }
        services.budgetFreed()
    }

    // MARK: Time

    /// Looks after the board from time to time for as long as something is on it.
    func startTicking() {
        let mustStart = transfers.withLock { transfers in
            defer { transfers.isTicking = true }
            return !transfers.isTicking
        }
        if mustStart { scheduleTick() }
    }

    private func scheduleTick() {
        services.timers.schedule(afterSeconds: services.tickSeconds) { [weak self] in
            guard let self else { return }
            // Without a worker the cache closes, and closing answers everybody.
            _ = services.ticker.submit { self.tick() }
        }
    }

    private func tick() {
        var actions = TransferActions<Parked>()
        let (isIdle, isWhole) = transfers.withLock { transfers in
            transfers.board.tick(
                now: services.now, actions: &actions, isPresent: { isPresent($0) })
            let isIdle = transfers.board.isIdle && transfers.deferred.isEmpty
            if isIdle { transfers.isTicking = false }
            return (isIdle, isWholeInFile(&transfers) || isAwaitingVerifier(transfers))
        }
        perform(actions)
        if isWhole { startVerifying() }
        if !isIdle { scheduleTick() }
    }

    /// Whether readers wait for a content that is here and that the verifier, full of others,
    /// refused.
    private func isAwaitingVerifier(_ transfers: Transfers) -> Bool {
        servesWhole && transfers.wholeWaiter != nil && !transfers.isVerifying
            && geometry.all.allSatisfy { isPresent($0) }
    }

    /// Whether every block is in the file and nobody has verified them yet.
    private func isWholeInFile(_ transfers: inout Transfers) -> Bool {
        guard case .file(let file) = body, state == .partial, !transfers.isVerifying else {
            return false
        }
        let absent = file.sidecar.firstAbsent(in: transfers.firstAbsentHint..<geometry.blockCount)
        transfers.firstAbsentHint = absent ?? 0
        return absent == nil && transfers.writing.isEmpty && file.sidecar.arePresent(geometry.all)
    }
}

/// Takes the bytes of one fetch for a content, and cuts them into blocks.
final class BlockReceiver: ContentReceiver {
    private let content: OpenContent
    private let number: Int
    private let isAhead: Bool
    /// Taken out while in use: a fetch delivers its pieces one after the other.
    private let assembler: Guarded<BlockAssembler?>

    init(_ content: OpenContent, order: FetchOrder) {
        self.content = content
        number = order.number
        isAhead = order.urgency != .demand
        assembler = Guarded(
            BlockAssembler(
                geometry: content.geometry,
                start: content.geometry.bytes(ofBlocks: order.blocks).lowerBound), rank: .leaf)
    }

    func receive(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
        guard var assembler = assembler.withLock({ $0.take() }) else { return false }
        precondition(offset == assembler.position, "a fetch delivers its bytes in order")
        var isWanted = true
        assembler.append(bytes) { blocks, bytes in
            let goesOn = content.store(bytes, blocks: blocks, of: number, isAhead: isAhead)
            isWanted = goesOn && isWanted
        }
        self.assembler.withLock { $0 = assembler }
        return isWanted
    }

    func finished(_ result: Result<Void, HubError>) { content.ended(number, result) }
}
