import HubClient
import Logging
import Platform

extension OpenContent {
    private static let chunkBytes = 1 << 20

    /// Has the whole content hashed by the verifier, once at a time.
    func startVerifying() {
        // Rows are verified before they are kept.
        if isRow { return succeedDeferred() }
        let mustStart = transfers.withLock { transfers in
            guard !transfers.isVerifying, transfers.failure == nil, state == .partial else {
                return false
            }
            transfers.isVerifying = true
            return true
        }
        let worker = servesWhole ? services.verifier : services.scrubber
        guard mustStart, !worker.submit({ self.verify() }) else { return }
        // The cache closes, or tens of thousands wait: readers who need it end, others are served
        // unverified and the content is verified when it is next opened.
        let completions = transfers.withLock { transfers in
            transfers.isVerifying = false
            return takeCompletions([], &transfers)
        }
        let error: CacheError = services.isClosing ? .closed : .full(location.content)
        for completion in completions { completion(.failure(error)) }
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
        registry.forget(self)
        services.logger.error(
            "\(location.repo) \(location.path): \(location.content.hex) arrived damaged, dropped")
        end(with: .integrity(location.content))
        services.unkept.removeAll(of: number)
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
            transfers.withLock { transfers in
                transfers.isVerifying = false
                setState(.verified)
            }
            succeedDeferred()
            services.scheduleSeal { self.seal() }
        case .wrong:
            transfers.withLock { $0.isVerifying = false }
            drop()
        case .unknown:
            let completions = transfers.withLock { transfers in
                transfers.isVerifying = false
                return takeCompletions([], &transfers)
            }
            let error: CacheError = services.isClosing ? .closed : .full(location.content)
            for completion in completions { completion(.failure(error)) }
        }
    }

    private func succeedDeferred() {
        let completions = transfers.withLock { takeCompletions([], &$0) }
        for completion in completions { completion(.success(())) }
    }

    private func verdict() -> Verdict {
        var digest = ContentDigest(of: location.content, size: geometry.size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.chunkBytes, alignment: 16)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < geometry.size {
            if services.isClosing { return .unknown }
            let range = geometry.clamped(offset: offset, count: buffer.count)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<range.count])
            guard copyPresent(range, into: part) else { return .unknown }
            digest.update(UnsafeRawBufferPointer(part))
            offset = range.upperBound
        }
        return digest.matches ? .right : .wrong
    }

    /// Makes a verified content durable, if all of it is in the file.
    private func seal() {
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
            byteCount: Int(BlockGeometry.blockBytes), alignment: 16)
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
    func verifyIfWhole() {
        guard case .file(let file) = body, state == .partial,
            file.sidecar.arePresent(geometry.all)
        else { return }
        startVerifying()
    }
}
