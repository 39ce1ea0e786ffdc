import HTTPTransport
import Platform
import XetCodec

/// One range of one content, put together from what is here, what the store has, and what comes the
/// plain way; from its begin to its end, one piece after the other.
///
///     waiting ──> next ──> copying, relaying or unpacking ──> next ──> … ──> ended
///
/// The receiver is called without a lock held.
final class XetFetch: Fetch, TimedOperation {
    private struct State {
        /// First byte that has not been delivered.
        var position: UInt64
        var file: XetFile?
        /// Somebody may be in a call of the receiver: only he may end the fetch.
        var isDelivering = false
        /// Ends what delivers now.
        var stop: (@Sendable () -> Void)?
        var isCancelled = false
        var isEnded = false
        var isSecondPlan = false
    }

    let origin: XetOrigin
    let location: ContentLocation
    private let range: Range<UInt64>
    private let priority: FetchPriority
    private let receiver: any ContentReceiver
    private let state: Guarded<State>

    init(
        _ origin: XetOrigin, _ location: ContentLocation, _ range: Range<UInt64>,
        _ priority: FetchPriority, _ receiver: any ContentReceiver
    ) {
        self.origin = origin
        self.location = location
        self.range = range
        self.priority = priority
        self.receiver = receiver
        state = Guarded(State(position: range.lowerBound), rank: .hub)
    }

    /// Starts, with nil the plain way.
    func begin(with file: XetFile?) {
        guard origin.client.operations.add(self) else { return cancel() }
        state.withLock { $0.file = file }
        next()
    }

    func cancel() {
        let (stop, endsHere): ((@Sendable () -> Void)?, Bool) = state.withLock { state in
            state.isCancelled = true
            return (state.stop, !state.isDelivering)
        }
        stop?()
        if endsHere { origin.client.runOnTransferThread { [self] in end(.failure(.cancelled)) } }
    }

    /// Its parts have deadlines of their own.
    func endIfOverdue(now: MonotonicInstant) {}

    // MARK: One piece after the other

    /// Starts the next piece. Not while something delivers.
    func next() {
        let (position, file, isCancelled) = state.withLock {
            ($0.position, $0.file, $0.isCancelled)
        }
        if isCancelled { return end(.failure(.cancelled)) }
        if position == range.upperBound { return end(.success(())) }
        let rest = position..<range.upperBound
        guard let file else { return relay(rest) }
        switch file.piece(at: rest) {
        case .shared:
            // One after the other, without a way over other threads between them.
            if !origin.worker.submit({ [self] in copyAll(file) }) { relay(rest) }
        case .absent(let absent):
            let isLong = UInt64(absent.count) >= XetOrigin.rangeBytesMin
            if priority == .prefetch, isLong {
                askForPlan(absent, file)
            } else {
                relay(absent)
            }
        }
    }

    /// Hands bytes on that come next.
    ///
    /// - Returns: false when no more are wanted.
    func deliver(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let (position, isCancelled) = state.withLock { ($0.position, $0.isCancelled) }
        guard !isCancelled else { return false }
        let wantsMore = receiver.receive(bytes, at: position)
        state.withLock { state in
            state.position = position + UInt64(bytes.count)
            if !wantsMore { state.isCancelled = true }
        }
        return wantsMore
    }

    /// Has calls of the receiver follow; they end with `endDelivering`.
    ///
    /// - Returns: false when the fetch is over.
    func beginDelivering() -> Bool {
        state.withLock { state in
            guard !state.isEnded, !state.isCancelled else { return false }
            state.isDelivering = true
            return true
        }
    }

    /// Says what ends that early; called at once when it is not wanted any more.
    func stopping(_ stop: @escaping @Sendable () -> Void) {
        let stopsNow = state.withLock { state in
            // It has ended before its stop was known.
            guard state.isDelivering else { return false }
            state.stop = stop
            return state.isCancelled
        }
        if stopsNow { stop() }
    }

    func endDelivering() {
        state.withLock { state in
            state.isDelivering = false
            state.stop = nil
        }
    }

    /// The first call counts.
    func end(_ result: Result<Void, HubError>) {
        origin.client.operations.remove(self)
        let isFirst = state.withLock { state in
            guard !state.isEnded, !state.isDelivering else { return false }
            state.isEnded = true
            return true
        }
        if isFirst { receiver.finished(result) }
    }

    /// Takes what is left of a range the plain way, and says why.
    func fallBack(
        _ absent: Range<UInt64>, _ file: XetFile, _ reason: XetFigures.Reason, _ words: String
    ) {
        origin.files.fellBack(location.content, file, reason, "\(location.path): \(words)")
        let rest = state.withLock { $0.position }..<absent.upperBound
        if rest.isEmpty { next() } else { relay(rest) }
    }

    // MARK: What is here

    /// Copies shared chunks for as long as they come one after the other.
    private func copyAll(_ file: XetFile) {
        guard beginDelivering() else { return end(.failure(.cancelled)) }
        let buffer = origin.buffers.take()
        var source: OpenSource?
        while true {
            let (position, isCancelled) = state.withLock { ($0.position, $0.isCancelled) }
            guard !isCancelled, position < range.upperBound,
                case .shared(let run, let chunks) = file.piece(at: position..<range.upperBound)
            else { break }
            if !copy(run, chunks, from: &source, by: buffer.bytes) { file.forget(run) }
        }
        origin.buffers.giveBack(buffer)
        endDelivering()
        next()
    }

    /// A content that chunks are copied from, while they come one after the other.
    private struct OpenSource {
        /// Where they begin in this file.
        let start: UInt64
        let content: any ChunkSource
    }

    private func open(_ run: SharedChunks) -> OpenSource? {
        guard let content = origin.keeper?.open(run.source) else { return nil }
        let position = state.withLock { $0.position }
        let wanted = (position..<range.upperBound).clamped(to: run.bytes)
        let start = run.sourceStart + (wanted.lowerBound - run.start)
        content.expect(start..<start + UInt64(wanted.count))
        return OpenSource(start: run.start, content: content)
    }

    /// - Returns: false when the chunks are not there any more, or are others.
    private func copy(
        _ run: SharedChunks, _ chunks: Range<Int>, from source: inout OpenSource?,
        by room: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let first = run.bytes(ofChunk: chunks.lowerBound).lowerBound
        let count = Int(run.bytes(ofChunk: chunks.upperBound - 1).upperBound - first)
        let buffer = UnsafeMutableRawBufferPointer(rebasing: room[..<count])
        if source?.start != run.start { source = open(run) }
        guard let content = source?.content,
            content.read(at: run.sourceStart + UInt64(first), into: buffer)
        else { return false }
        for index in chunks {
            let bytes = run.bytes(ofChunk: index)
            let chunk = UnsafeRawBufferPointer(
                rebasing: buffer[Int(bytes.lowerBound - first)..<Int(bytes.upperBound - first)])
            guard XetHash(ofChunk: chunk) == run.hashes[index] else { return false }
        }
        let position = state.withLock { $0.position }
        let start = run.start + UInt64(first)
        let wanted = position..<min(start + UInt64(count), range.upperBound)
        let piece = buffer[Int(wanted.lowerBound - start)..<Int(wanted.upperBound - start)]
        origin.files.count(shared: piece.count)
        _ = deliver(UnsafeRawBufferPointer(rebasing: piece))
        return true
    }

    // MARK: The plain way

    private func relay(_ absent: Range<UInt64>) {
        guard beginDelivering() else { return end(.failure(.cancelled)) }
        let fetch = origin.client.fetch(
            location, range: absent, priority: priority, into: Relay(self))
        stopping { fetch.cancel() }
    }

    fileprivate func relayed(_ result: Result<Void, HubError>) {
        endDelivering()
        switch result {
        case .success: next()
        case .failure(let error): end(.failure(error))
        }
    }

    // MARK: The store

    private func askForPlan(_ absent: Range<UInt64>, _ file: XetFile) {
        origin.reconstructions.find(file.hash, absent, of: location, client: origin.client) {
            [self] result in
            guard state.withLock({ !$0.isEnded }) else { return }
            switch result {
            case .success(let plan): unpack(plan, absent, file)
            case .failure(.cancelled): next()
            case .failure(let error): fallBack(absent, file, .plan, error.sentence)
            }
        }
    }

    /// A range in more parts of xorbs than this comes the plain way: they would be as many requests.
    private static let partCountMax = 4

    private func unpack(_ plan: Reconstruction, _ absent: Range<UInt64>, _ file: XetFile) {
        let assembly: TermAssembly
        do {
            assembly = try TermAssembly(plan, count: UInt64(absent.count))
        } catch {
            return fallBack(absent, file, .plan, "\(error)")
        }
        guard assembly.ranges.count <= Self.partCountMax else {
            return fallBack(
                absent, file, .scattered, "\(assembly.ranges.count) parts of xorbs")
        }
        guard beginDelivering() else { return end(.failure(.cancelled)) }
        XorbUnpacking(self, assembly, at: absent.lowerBound) { [self] outcome in
            endDelivering()
            unpacked(outcome, absent, file)
        }.start()
    }

    private func unpacked(
        _ outcome: XorbUnpacking.Outcome, _ absent: Range<UInt64>, _ file: XetFile
    ) {
        let (isCancelled, position) = state.withLock { ($0.isCancelled, $0.position) }
        if isCancelled { return end(.failure(.cancelled)) }
        switch outcome {
        case .whole:
            _ = file.note(isFailure: false)
            next()
        case .expired(let words):
            let isFirst = state.withLock { state in
                defer { state.isSecondPlan = true }
                return !state.isSecondPlan
            }
            guard isFirst else { return fallBack(absent, file, .transfer, words) }
            askForPlan(position..<absent.upperBound, file)
        case .failed(let reason, let words): fallBack(absent, file, reason, words)
        }
    }
}

/// Hands the bytes of a plain fetch on.
private final class Relay: ContentReceiver {
    private let fetch: XetFetch

    init(_ fetch: XetFetch) { self.fetch = fetch }

    func receive(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
        fetch.deliver(bytes)
    }

    func finished(_ result: Result<Void, HubError>) { fetch.relayed(result) }
}
