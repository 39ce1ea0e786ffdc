import HubClient
import Logging
import Platform

/// Collects last-use marks and writes them a batch at a time: an open costs no transaction.
///
/// A killed process loses the marks of the last seconds, which only makes eviction a little less
/// exact.
final class UseLog: Sendable {
    static let flushSeconds = 5.0
    /// So many marks are flushed at once. Those beyond `noteCountMax` are dropped until it is done.
    /// Whoever opens a few thousand files again and again has each of them written once in
    /// `flushSeconds`; to write them more often cost as much as to serve them.
    private static let noteCountSoon = 10_000
    private static let noteCountMax = 50_000

    private struct State {
        var uses: [ContentID: ContentLocation] = [:]
        var isScheduled = false
    }

    private let database: CacheDatabase
    private let small: SmallContents
    private let timers: TimerQueue
    private let worker: Worker
    private let logger: Logger
    private let state = Guarded(State(), rank: .leaf)

    init(
        database: CacheDatabase, small: SmallContents, timers: TimerQueue, worker: Worker,
        logger: Logger
    ) {
        self.database = database
        self.small = small
        self.timers = timers
        self.worker = worker
        self.logger = logger
    }

    /// Notes that a content is being opened.
    func note(_ location: ContentLocation) {
        let (mustSchedule, mustFlush) = state.withLock { state in
            if state.uses.count < Self.noteCountMax { state.uses[location.content] = location }
            defer { state.isScheduled = true }
            return (!state.isScheduled, state.uses.count == Self.noteCountSoon)
        }
        if mustFlush { _ = worker.submit { self.flush() } }
        guard mustSchedule else { return }
        timers.schedule(afterSeconds: Self.flushSeconds) { [weak self] in
            guard let self else { return }
            _ = worker.submit { self.flush() }
        }
    }

    /// Writes what was noted.
    func flush() {
        let uses = state.withLock { state in
            defer { state = State() }
            return Array(state.uses.values)
        }
        guard !uses.isEmpty else { return }
        let seconds = secondsSince1970()
        do throws(CacheError) {
            try database.note(uses, at: seconds)
            try small.note(
                uses.filter { $0.size < SmallContents.sizeMax }.map(\.content), at: seconds)
        } catch {
            logger.warning("last use of \(uses.count) contents is not noted: \(error)")
        }
    }
}
