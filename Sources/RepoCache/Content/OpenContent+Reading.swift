import HubClient
import Logging
import Platform

extension OpenContent {
    /// Reads bytes that are here, at once, on the calling thread.
    ///
    /// Each call is also what readahead learns from.
    ///
    /// - Returns: the number of bytes, less than asked for only at the end of the content; nil when
    ///   a byte of the range is not here or must not be served yet: then park with `read`.
    package func readPresent(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) -> Int? {
        let range = geometry.clamped(offset: offset, count: buffer.count)
        guard !range.isEmpty else { return 0 }
        noteFirstRead(range)
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<range.count])
        switch state {
        case .failed, .checking:
            return nil
        case .partial:
            if case .row = body { break }
            adoptOthersSeal()
            noteRead(range)
            if servesWhole && state < .verified { return nil }
        case .verified, .sealed:
            adoptOthersDrop()
        }
        guard copyPresent(range, into: target), state != .failed else { return nil }
        noteAheadUse(range)
        return range.count
    }

    /// Parks a read until its bytes are here.
    ///
    /// - Parameters:
    ///   - completion: Called once: with success when `readPresent` will find the bytes (short of
    ///     memory pressure, after which the caller parks again), else with the reason. At once on
    ///     the calling thread when nothing has to be waited for, else on a thread of the cache
    ///     or of the origin.
    /// - Returns: nil when `completion` was called already.
    package func read(
        offset: UInt64, count: Int, completion: @escaping ReadCompletion
    ) -> ReadTicket? {
        let range = geometry.clamped(offset: offset, count: count)
        guard !range.isEmpty else {
            completion(.success(()))
            return nil
        }
        if isRow { _ = rowBytes() }
        var actions = TransferActions<Parked>()
        let parking = transfers.withLock { transfers in
            park(range, completion, &transfers, &actions)
        }
        perform(actions)
        switch parking {
        case .answered(let result, let number):
            completion(result)
            if let number { releaseRoom(number) }
            return nil
        case .parked(let number):
            startTicking()
            return ReadTicket { [weak self] in self?.cancelRead(number) }
        case .deferred(let number, let mustVerify):
            if mustVerify { startVerifying() }
            startTicking()
            return ReadTicket { [weak self] in self?.cancelDeferred(number) }
        }
    }

    private enum Parking {
        /// With the number that has claimed room until then.
        case answered(Result<Void, CacheError>, number: Int? = nil)
        case parked(Int)
        case deferred(Int, mustVerify: Bool)
    }

    private func park(
        _ range: Range<UInt64>, _ completion: @escaping ReadCompletion,
        _ transfers: inout Transfers, _ actions: inout TransferActions<Parked>
    ) -> Parking {
        if let failure = transfers.failure { return .answered(.failure(failure)) }
        // Dropped, though the reason is not noted yet: its blocks are still there, and wrong.
        if state == .failed { return .answered(.failure(.integrity(location.content))) }
        let blocks = geometry.blocks(touching: range)
        if blocks.allSatisfy({ isPresent($0) }),
            state >= .verified || isRow || (!servesWhole && state == .partial)
        {
            guard usesMemory(blocks) else { return .answered(.success(())) }
            let number = transfers.board.newNumber()
            if claimRoom(number, blocks, standsInLine: false) == .granted {
                return .answered(.success(()), number: number)
            }
        }
        if let error = transfers.recentFailures.find(range, now: services.now) {
            return .answered(.failure(error))
        }
        guard servesWhole || state == .checking else {
            let number = transfers.board.newNumber()
            let parked = Parked.read(
                completion, offset: range.lowerBound, count: range.count, number: number)
            return
                switch place(
                    parked, number: number, blocks: blocks, &transfers, &actions)
            {
            case .parked: .parked(number)
            case .present: .answered(.success(()), number: number)
            case .tooLarge: .answered(.failure(.full(location.content)))
            }
        }
        // Blocks that were in memory alone are gone: what replaces them must be verified again.
        if state == .verified || state == .sealed { setState(.partial) }
        transfers.lastDeferred += 1
        transfers.deferred[transfers.lastDeferred] = Deferred(
            offset: range.lowerBound, count: range.count, completion: completion)
        guard state == .partial else {
            return .deferred(transfers.lastDeferred, mustVerify: false)
        }
        switch awaitWhole(&transfers, &actions) {
        case .parked: return .deferred(transfers.lastDeferred, mustVerify: false)
        case .present: return .deferred(transfers.lastDeferred, mustVerify: true)
        case .tooLarge:
            transfers.deferred[transfers.lastDeferred] = nil
            return .answered(.failure(.full(location.content)))
        }
    }

    /// Puts the wait for the whole content on the board, unless it is there.
    ///
    /// - Returns: `.present` when everything is here and only has to be verified.
    func awaitWhole(
        _ transfers: inout Transfers, _ actions: inout TransferActions<Parked>
    ) -> Placement {
        guard transfers.wholeWaiter == nil, !transfers.isVerifying else { return .parked }
        let number = transfers.board.newNumber()
        let placement = place(
            .whole(number: number), number: number, blocks: geometry.all, &transfers, &actions)
        if placement != .tooLarge { transfers.wholeWaiter = number }
        return placement
    }

    private func cancelRead(_ number: Int) {
        var actions = TransferActions<Parked>()
        let parked = transfers.withLock { $0.board.cancelWaiter(number, actions: &actions) }
        if case .read(let completion, _, _, _) = parked { completion(.failure(.cancelled)) }
        if parked != nil { releaseRoom(number) }
        perform(actions)
    }

    private func cancelDeferred(_ number: Int) {
        var actions = TransferActions<Parked>()
        let (deferred, abandoned) = transfers.withLock { transfers -> (Deferred?, Int?) in
            let deferred = transfers.deferred.removeValue(forKey: number)
            // What is being verified already goes on.
            guard transfers.deferred.isEmpty, let whole = transfers.wholeWaiter,
                transfers.board.cancelWaiter(whole, actions: &actions) != nil
            else { return (deferred, nil) }
            transfers.wholeWaiter = nil
            return (deferred, whole)
        }
        deferred?.completion(.failure(.cancelled))
        if let abandoned { releaseRoom(abandoned) }
        perform(actions)
    }

    // MARK: What is here

    var isRow: Bool { if case .row = body { true } else { false } }

    /// Whether a block can be copied from disk or memory, verified or not.
    func isPresent(_ block: Int) -> Bool {
        switch body {
        case .row: return services.small.isInMemory(location.content)
        case .lower: return true
        case .file(let file) where file.sidecar.isPresent(block): return true
        case .file, .memory:
            return services.unkept.contains(UnkeptBlocks.Key(owner: number, block: block))
        }
    }

    /// Copies bytes from where they are.
    ///
    /// - Returns: false when a block is missing.
    func copyPresent(_ range: Range<UInt64>, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        if case .row = body {
            guard let bytes = rowBytes(), bytes.count == Int(geometry.size) else { return false }
            bytes.withUnsafeBytes {
                buffer.copyMemory(
                    from: UnsafeRawBufferPointer(
                        rebasing: $0[Int(range.lowerBound)..<Int(range.upperBound)]))
            }
            return true
        }
        if case .lower(let file) = body { return readLower(file, range, into: buffer) }
        let blocks = geometry.blocks(touching: range)
        if case .file(let file) = body, state == .sealed || file.sidecar.arePresent(blocks) {
            return readFile(file, range, blocks, into: buffer)
        }
        return blocks.allSatisfy { block in
            let part = geometry.bytes(ofBlock: block).clamped(to: range)
            let start = Int(part.lowerBound - range.lowerBound)
            return copyBlock(
                block, part,
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + part.count]))
        }
    }

    private func copyBlock(
        _ block: Int, _ part: Range<UInt64>, into buffer: UnsafeMutableRawBufferPointer
    ) -> Bool {
        if case .file(let file) = body, file.sidecar.isPresent(block) {
            return readFile(file, part, block..<block + 1, into: buffer)
        }
        let start = Int(part.lowerBound - geometry.bytes(ofBlock: block).lowerBound)
        return services.unkept.read(
            UnkeptBlocks.Key(owner: number, block: block), from: start, into: buffer)
    }

    /// Reads the file; a file that is shorter than its map says was cut by somebody, and its
    /// blocks are fetched again.
    private func readFile(
        _ file: ContentFile, _ range: Range<UInt64>, _ blocks: Range<Int>,
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Bool {
        if let isWhole = try? file.read(into: buffer, at: range.lowerBound), isWhole { return true }
        services.logger.error(
            "cache file of \(location.content.hex) cannot be read at \(range.lowerBound)")
        if state == .sealed {
            drop()
        } else {
            for block in blocks { file.sidecar.markAbsent(block) }
        }
        return false
    }

    /// Reads the official client's file; one that was cut meanwhile is not used any more.
    private func readLower(
        _ file: LowerFile, _ range: Range<UInt64>, into buffer: UnsafeMutableRawBufferPointer
    ) -> Bool {
        if let isWhole = try? file.read(into: buffer, at: range.lowerBound), isWhole { return true }
        drop()
        return false
    }

    /// Another process may have sealed the content meanwhile.
    func adoptOthersSeal() {
        adoptOthersDrop()
        guard case .file(let file) = body, file.sidecar.isSealed else { return }
        transfers.withLock { _ in
            if state == .partial { setState(.sealed) }
        }
    }

    /// Another process, or a scrub, may have found the content wrong meanwhile.
    func adoptOthersDrop() {
        if case .file(let file) = body, file.sidecar.isDropped { drop() }
    }

    // MARK: For those who fetch ahead

    /// Verified before the first byte is served, so any read of it fetches all of it.
    package var isVerifiedFirst: Bool { servesWhole }

    /// A small content that has its row, or is about to have it.
    package var isKeptAsRow: Bool { isRow && holdsRow }

    // MARK: For SEEK_DATA, SEEK_HOLE and user.hubfs.cached

    /// Bytes that are on disk here.
    package var presentBytes: UInt64 {
        switch body {
        case .row: return rowBytes() == nil ? 0 : geometry.size
        case .memory: return 0
        case .lower: return geometry.size
        case .file(let file): return file.sidecar.presentBytes
        }
    }
}

extension OpenContent.State: Comparable {
    /// In the order of trust; `failed` stands last and is always tested first.
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
