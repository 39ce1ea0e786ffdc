import HubClient
import Logging
import Platform
import SystemPackage

extension OpenContent {
    /// Has the whole content hashed by the verifier, once at a time; also one that its last reader
    /// closed as soon as he had its bytes.
    func startVerifying() {
        // Rows are verified before they are kept.
        if isRow { return answerDeferred(.success(())) }
        let (mustStart, isDone) = transfers.withLock { transfers in
            guard !transfers.isVerifying else { return (false, false) }
            transfers.isVerifying = state == .partial
            return (state == .partial, state == .verified || state == .sealed)
        }
        // Another process was faster.
        if isDone { return answerDeferred(.success(())) }
        let worker = servesWhole ? services.verifier : services.scrubber
        guard mustStart, !worker.submit({ self.verify() }) else { return }
        // The cache closes, or tens of thousands wait: then those who need it are looked after by
        // the next tick, and without such the content is verified when it is next opened.
        transfers.withLock { $0.isVerifying = false }
        if services.isClosing { answerDeferred(.failure(.closed)) }
    }

    /// Compares stored blocks with their checksums, after a restart of the machine.
    func startChecking() {
        if !services.scrubber.submit({ self.check() }) { end(with: .closed) }
    }

    /// Takes the content out of the cache: its bytes are wrong. Readers fail from now on.
    func drop() {
        let isFirst = transfers.withLock { transfers in
            guard state != .failed else { return false }
            setState(.failed)
            return true
        }
        guard isFirst else { return }
        if case .file(let file) = body { file.drop() }
        if case .lower(let file) = body { services.lower?.note(file, of: location, isRight: false) }
        registry.forget(self)
        services.logger.error(
            "\(location.repo) \(location.path): \(location.content.hex) arrived damaged, dropped")
        end(with: .integrity(location.content))
        services.contentDropped(location.content)
    }

    private enum Verdict {
        case right
        case wrong
        /// A block went missing meanwhile, or the cache closes.
        case unknown
    }

    private func verify() {
        switch verdict() {
        case .right:
            answerDeferred(.success(())) { transfers in
                transfers.isVerifying = false
                setState(.verified)
            }
            services.scheduleSeal { self.seal() }
            if case .file(let file) = body, file.sidecar.arePresent(geometry.all) {
                services.verified(location)
            }
        case .wrong:
            transfers.withLock { $0.isVerifying = false }
            drop()
        case .unknown where services.isClosing:
            answerDeferred(.failure(.closed)) { $0.isVerifying = false }
        case .unknown:
            awaitWholeAgain()
        }
    }

    /// Times that a file may lose blocks before its disk is taken for broken.
    private static let lossCountMax = 3

    /// Fetches what the file could not give back, for those who still wait.
    private func awaitWholeAgain() {
        var actions = TransferActions<Parked>()
        let (placement, former) = transfers.withLock { transfers -> (Placement?, Int?) in
            transfers.isVerifying = false
            transfers.lossCount += 1
            guard transfers.lossCount <= Self.lossCountMax, !transfers.deferred.isEmpty else {
                return (nil, nil)
            }
            let former = transfers.wholeWaiter.take()
            return (awaitWhole(&transfers, &actions), former)
        }
        if let former { releaseRoom(former) }
        perform(actions)
        switch placement {
        case .parked: startTicking()
        case .present: startVerifying()
        case .tooLarge: answerDeferred(.failure(.full(location.content)))
        case nil:
            answerDeferred(
                .failure(
                    .disk(.ioError, path: services.folder.sidecar(of: location.content.hex).string))
            )
        }
    }

    private func verdict() -> Verdict {
        var isWhole = true
        let isRight = ContentDigest.matches(location.content, size: geometry.size) {
            buffer, offset in
            let range = geometry.clamped(offset: offset, count: buffer.count)
            isWhole = !services.isClosing && copyPresent(range, into: buffer)
            return isWhole
        }
        if !isWhole { return .unknown }
        return isRight ? .right : .wrong
    }

    /// Makes a verified content durable, if all of it is in the file.
    private func seal() {
        if case .lower(let file) = body {
            services.lower?.note(file, of: location, isRight: true)
            return transfers.withLock { _ in
                if state == .verified { setState(.sealed) }
            }
        }
        guard case .file(let file) = body, file.sidecar.arePresent(geometry.all),
            state == .verified, !services.isClosing
        else { return }
        do {
            try file.seal()
            transfers.withLock { _ in
                if state == .verified { setState(.sealed) }
            }
        } catch {
            services.logger.warning("\(location.content.hex) is not sealed: \(error)")
        }
    }

    private func check() {
        guard case .file(let file) = body else { return }
        let scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(geometry.blockBytes), alignment: 16)
        defer { scratch.deallocate() }
        var block = 0
        while let present = file.sidecar.firstPresent(in: block..<geometry.blockCount) {
            if services.isClosing { return }
            if !file.isIntact(present, scratch: scratch) { file.sidecar.markAbsent(present) }
            block = present + 1
        }
        file.sidecar.bootID = services.configuration.bootID
        finishChecking()
    }

    /// Serves who waited for the check.
    private func finishChecking() {
        let waiting = transfers.withLock { transfers in
            setState(.partial)
            defer { transfers.deferred = [:] }
            return transfers.deferred.values.sorted { $0.offset < $1.offset }
        }
        for reader in waiting {
            _ = read(offset: reader.offset, count: reader.count, completion: reader.completion)
        }
        verifyIfWhole()
    }

    /// Verifies a content found whole but not sealed, as a killed process leaves it.
    ///
    /// A file of the official client's cache that nobody has hashed yet is verified too.
    func verifyIfWhole() {
        if case .lower = body, state == .partial { return startVerifying() }
        guard case .file(let file) = body, state == .partial,
            file.sidecar.arePresent(geometry.all)
        else { return }
        startVerifying()
    }
}
