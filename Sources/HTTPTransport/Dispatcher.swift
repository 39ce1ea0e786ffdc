import DequeModule
import Platform

/// Decides which request may have a connection now: our queue above libcurl's own.
///
/// Per host and lane so many requests run at once; the others wait, urgent ones first. Requests
/// that are not urgent never take the last few connections of a lane, so that an urgent one finds
/// a free one. Pure: the transport calls it under its lock and carries out what it answers.
struct Dispatcher {
    typealias RequestID = UInt64

    struct Limits: Sendable {
        var streamCountPerHostMax: Int
        var smallCountPerHostMax: Int
        var uploadCountPerHostMax: Int
        /// Requests that wait, over all hosts.
        var queueCountMax: Int
        var loopCount: Int

        func runningCountMax(_ lane: HTTPRequest.Lane) -> Int {
            switch lane {
            case .stream: streamCountPerHostMax
            case .small: smallCountPerHostMax
            case .upload: uploadCountPerHostMax
            }
        }
    }

    enum Admission: Hashable {
        case start(loop: Int)
        case queued
        case full
    }

    struct Start: Hashable {
        let id: RequestID
        let loop: Int
    }

    private struct PoolKey: Hashable {
        let origin: String
        let lane: HTTPRequest.Lane
    }

    /// Invariant: an id stands in exactly one of `queued` and `running`.
    private struct Pool {
        var runningCountByLoop: [Int]
        var urgent = Deque<RequestID>()
        var patient = Deque<RequestID>()

        var runningCount: Int { runningCountByLoop.reduce(0, +) }
        var isIdle: Bool { runningCount == 0 && urgent.isEmpty && patient.isEmpty }
    }

    private struct Waiting {
        let pool: PoolKey
        let deadline: MonotonicInstant
        let isUrgent: Bool
    }

    private let limits: Limits
    private var pools: [PoolKey: Pool] = [:]
    private var queued: [RequestID: Waiting] = [:]
    private var running: [RequestID: (pool: PoolKey, loop: Int)] = [:]

    init(limits: Limits) { self.limits = limits }

    var queuedCount: Int { queued.count }
    var runningCount: Int { running.count }

    mutating func submit(
        _ id: RequestID, origin: String, lane: HTTPRequest.Lane, isUrgent: Bool,
        queueDeadline: MonotonicInstant
    ) -> Admission {
        let key = PoolKey(origin: origin, lane: lane)
        var pool = takePool(key)
        defer { pools[key] = pool }
        let isFirst = pool.urgent.isEmpty && (isUrgent || pool.patient.isEmpty)
        if isFirst, pool.runningCount < runningCountMax(lane, isUrgent: isUrgent) {
            return .start(loop: start(id, key, &pool))
        }
        guard queued.count < limits.queueCountMax else { return .full }
        queued[id] = Waiting(pool: key, deadline: queueDeadline, isUrgent: isUrgent)
        if isUrgent { pool.urgent.append(id) } else { pool.patient.append(id) }
        return .queued
    }

    /// Ends a running request and hands its connection on.
    mutating func finish(_ id: RequestID) -> [Start] {
        guard let (key, loop) = running.removeValue(forKey: id) else { return [] }
        var pool = takePool(key)
        pool.runningCountByLoop[loop] -= 1
        var starts: [Start] = []
        while let next = takeNext(key, &pool) {
            starts.append(Start(id: next, loop: start(next, key, &pool)))
        }
        pools[key] = pool.isIdle ? nil : pool
        return starts
    }

    /// Takes a request out of the queue.
    ///
    /// - Returns: false when it does not wait (any more).
    mutating func withdraw(_ id: RequestID) -> Bool {
        guard let waiting = queued.removeValue(forKey: id) else { return false }
        var pool = takePool(waiting.pool)
        pool.urgent.removeAll { $0 == id }
        pool.patient.removeAll { $0 == id }
        pools[waiting.pool] = pool.isIdle ? nil : pool
        return true
    }

    /// Takes the requests out of the queue whose deadline has come.
    mutating func takeOverdue(now: MonotonicInstant) -> [RequestID] {
        let overdue = queued.filter { $0.value.deadline <= now }.map(\.key).sorted()
        for id in overdue { _ = withdraw(id) }
        return overdue
    }

    /// Takes every request out of the queue.
    mutating func takeAllQueued() -> [RequestID] {
        let all = queued.keys.sorted()
        for id in all { _ = withdraw(id) }
        return all
    }

    private func takePool(_ key: PoolKey) -> Pool {
        pools[key] ?? Pool(runningCountByLoop: Array(repeating: 0, count: limits.loopCount))
    }

    /// Requests that are not urgent leave an eighth of the lane, at least one connection, free.
    private func runningCountMax(_ lane: HTTPRequest.Lane, isUrgent: Bool) -> Int {
        let whole = limits.runningCountMax(lane)
        guard !isUrgent, whole > 1 else { return whole }
        return whole - max(1, whole / 8)
    }

    private mutating func takeNext(_ key: PoolKey, _ pool: inout Pool) -> RequestID? {
        let count = pool.runningCount
        if count < runningCountMax(key.lane, isUrgent: true), let id = pool.urgent.popFirst() {
            queued[id] = nil
            return id
        }
        if count < runningCountMax(key.lane, isUrgent: false), let id = pool.patient.popFirst() {
            queued[id] = nil
            return id
        }
        return nil
    }

    /// The loop with the fewest requests of this pool, the first of equals: requests one after
    /// another stay on one loop and so on one warm connection.
    private mutating func start(_ id: RequestID, _ key: PoolKey, _ pool: inout Pool) -> Int {
        let counts = pool.runningCountByLoop
        let loop = counts.indices.min { counts[$0] < counts[$1] } ?? 0
        pool.runningCountByLoop[loop] += 1
        running[id] = (key, loop)
        return loop
    }
}
