import HubClient
import Platform

/// Fetches what its sources foresee: in their order, bounded, and behind everybody who waits.
///
/// Small requests and large ones have a budget each; the large ones' is shared with the streams'
/// readahead and only its first half is for guesses of ours, unless they are sure (`AheadItem`). An item that is here already costs a
/// look. After a failure that others would share (no network, the rate limit) everything rests
/// for `restSeconds`.
package final class Prefetcher: Sendable {
    static let restSeconds = 5.0
    /// Largest range of one request.
    static let chunkBytes: UInt64 = 4 << 20

    private struct State {
        /// First come, first served.
        var sources: [any AheadSource] = []
        /// Items that are not ordered to their end, by source.
        var jobs: [ObjectIdentifier: AheadJob] = [:]
        var isPumpPlanned = false
        /// A budget was full: whatever ends makes us look again.
        var awaitsRoom = false
        var restsUntil: MonotonicInstant?
        var isClosed = false
    }

    private let contents: ContentStore
    private let services: ContentServices
    private let worker = Worker(name: "hubfs-ahead", jobCountMax: 16)
    private let state = Guarded(State(), rank: .readahead)

    init(contents: ContentStore) {
        self.contents = contents
        services = contents.services
    }

    /// Begins to ask a source, until `remove`. Those that were added before it come first.
    package func add(_ source: any AheadSource) {
        state.withLock { $0.sources.append(source) }
        wake()
    }

    /// Asks a source no more. What it has given out comes to its end.
    package func remove(_ source: any AheadSource) {
        let job = state.withLock { state in
            state.sources.removeAll { $0 === source }
            return state.jobs.removeValue(forKey: ObjectIdentifier(source))
        }
        job?.giveUp(.cancelled)
    }

    /// Asks the sources again soon: one of them has something new.
    package func wake() {
        let mustPlan = state.withLock { state in
            guard !state.isPumpPlanned, !state.isClosed else { return false }
            state.isPumpPlanned = true
            return true
        }
        if mustPlan { _ = worker.submit { self.pump() } }
    }

    /// Ends the thread. Items under way end with their contents.
    func close() {
        let jobs = state.withLock { state in
            state.isClosed = true
            state.sources = []
            defer { state.jobs = [:] }
            return Array(state.jobs.values)
        }
        for job in jobs { job.giveUp(.closed) }
        worker.close()
    }

    // MARK: Details

    private func pump() {
        let sources = state.withLock { state in
            state.isPumpPlanned = false
            state.awaitsRoom = false
            if let rest = state.restsUntil, services.now < rest { return [any AheadSource]() }
            state.restsUntil = nil
            return state.sources
        }
        for source in sources {
            while serve(source) {}
        }
    }

    /// Orders the next piece of what a source wants.
    ///
    /// - Returns: false when it wants nothing, or there is no room.
    private func serve(_ source: any AheadSource) -> Bool {
        let id = ObjectIdentifier(source)
        let (known, mayGoOn) = state.withLock { state in
            (state.jobs.removeValue(forKey: id), !state.isClosed && state.restsUntil == nil)
        }
        guard mayGoOn else {
            known?.giveUp(.closed)
            return false
        }
        guard let job = known ?? newJob(source) else { return false }
        if job.order() { return true }
        // What is freed from here on wakes us; what was freed before is seen by asking again.
        state.withLock { $0.awaitsRoom = true }
        if job.order() { return true }
        let isKept = state.withLock { state in
            guard !state.isClosed, state.sources.contains(where: { $0 === source }) else {
                return false
            }
            state.jobs[id] = job
            return true
        }
        if !isKept { job.giveUp(.cancelled) }
        return false
    }

    /// Passes over what is here already.
    private func newJob(_ source: any AheadSource) -> AheadJob? {
        while let item = source.next() {
            do throws(CacheError) {
                let content = try contents.openAhead(item.location)
                return AheadJob(item, source, content, self)
            } catch {
                source.ended(item, .failed(error))
                if case .closed = error { return nil }
            }
        }
        return nil
    }

    /// A request has ended.
    fileprivate func freed(_ error: CacheError?) {
        if let error, case .hub(let cause) = error, cause.isEverybodys { rest() }
        roomFreed()
    }

    /// Looks for work again if there was no room for it before.
    func roomFreed() {
        guard state.withLock({ $0.awaitsRoom }), services.aheadBudget.isWorthAsking else { return }
        wake()
    }

    private func rest() {
        let isFirst = state.withLock { state in
            guard state.restsUntil == nil, !state.isClosed else { return false }
            state.restsUntil = services.now.advanced(bySeconds: Self.restSeconds)
            return true
        }
        guard isFirst else { return }
        services.timers.schedule(afterSeconds: Self.restSeconds) { [weak self] in self?.wake() }
    }
}

/// One item on its way.
///
/// Ordered on the prefetcher's thread alone; requests end on any.
private final class AheadJob: Sendable {
    private struct State {
        /// First byte that is not ordered.
        var next: UInt64
        var requestCount = 0
        var hasFetched = false
        var isOrdered = false
        var failure: CacheError?
        var isEnded = false
    }

    private let item: AheadItem
    private let source: any AheadSource
    private let content: OpenContent
    private let owner: Prefetcher
    private let state: Guarded<State>

    init(
        _ item: AheadItem, _ source: any AheadSource, _ content: OpenContent, _ owner: Prefetcher
    ) {
        self.item = item
        self.source = source
        self.content = content
        self.owner = owner
        state = Guarded(State(next: item.range.lowerBound), rank: .leaf)
    }

    /// Orders what there is room for.
    ///
    /// - Returns: false when something is left for later.
    func order() -> Bool {
        let start = state.withLock { state in
            // Against an end between two orders.
            state.requestCount += 1
            return state.failure == nil ? state.next : item.range.upperBound
        }
        let end =
            start < item.range.upperBound
            ? content.fetchAhead(
                start..<item.range.upperBound, chunkBytes: Prefetcher.chunkBytes,
                isSure: item.isSure,
                onStart: { [self] in state.withLock { $0.requestCount += 1 } },
                onEnd: { [self] result in ended(result) })
            : start
        let isOrdered = state.withLock { state in
            state.next = end
            state.isOrdered = end >= item.range.upperBound
            return state.isOrdered
        }
        settle()
        return isOrdered
    }

    /// Orders nothing more.
    func giveUp(_ reason: CacheError) {
        state.withLock { state in
            state.requestCount += 1
            state.failure = state.failure ?? reason
            state.isOrdered = true
        }
        settle()
    }

    private func ended(_ result: Result<Void, HubError>) {
        var failure: CacheError?
        if case .failure(let error) = result { failure = .hub(error) }
        state.withLock { state in
            state.hasFetched = true
            state.failure = state.failure ?? failure
        }
        settle()
        owner.freed(failure)
    }

    /// Counts one request less; the last one ends the item.
    private func settle() {
        let (isLast, outcome) = state.withLock { state -> (Bool, AheadOutcome) in
            state.requestCount -= 1
            let isLast =
                state.requestCount == 0 && (state.isOrdered || state.failure != nil)
                && !state.isEnded
            if isLast { state.isEnded = true }
            let success = state.hasFetched ? AheadOutcome.fetched : .wasHere
            return (isLast, state.failure.map { .failed($0) } ?? success)
        }
        guard isLast else { return }
        content.close()
        source.ended(item, outcome)
    }
}

extension HubError {
    /// Whether the next request would fail in the same way.
    fileprivate var isEverybodys: Bool {
        switch self {
        case .unreachable, .offline, .rateLimited, .badToken: true
        case .status(let refusal): refusal.status >= 500
        case .malformed, .repoNotFound, .revisionNotFound, .entryNotFound, .gated, .forbidden,
            .cancelled:
            false
        }
    }
}
