import Platform

/// Answers of the Hub that a name stands for nothing, or must not be seen, for as long as they hold.
///
/// Pure; its owner calls it under a lock.
struct UnknownNames {
    private struct Row {
        let error: CatalogueError
        let until: MonotonicInstant
    }

    private let countMax: Int
    private var rows: [String: Row] = [:]

    init(countMax: Int) { self.countMax = countMax }

    mutating func add(
        _ path: String, _ error: CatalogueError, until: MonotonicInstant, now: MonotonicInstant
    ) {
        if rows.count >= countMax { rows = rows.filter { $0.value.until > now } }
        // Too many that hold: they are asked for again, within the budget of unknown names.
        if rows.count >= countMax { rows = [:] }
        rows[path] = Row(error: error, until: until)
    }

    mutating func remove(_ path: String) { rows[path] = nil }

    /// - Returns: nil when the Hub has to be asked.
    func find(_ path: String, now: MonotonicInstant) -> (error: CatalogueError, seconds: Double)? {
        guard let row = rows[path], row.until > now else { return nil }
        return (row.error, row.until.seconds(since: now))
    }
}

/// How many names the Hub may be asked for that nobody knows: some at once, then so many each second.
///
/// A program that tries names is slowed down by it, and others hardly: a name that the Hub has costs
/// nothing in the end.
///
/// Pure; its owner calls it under a lock.
struct UnknownNamesBudget {
    private let burst: Double
    private let perSecond: Double
    /// Below zero when names wait for their turn.
    private var left: Double
    private var since: MonotonicInstant?

    init(burst: Double, perSecond: Double) {
        self.burst = burst
        self.perSecond = perSecond
        left = burst
    }

    /// Takes one question.
    ///
    /// - Returns: how long it has to wait, in seconds; nil when that is longer than `patienceSeconds`:
    ///   then nothing is taken.
    mutating func take(now: MonotonicInstant, patienceSeconds: Double) -> Double? {
        if let since { left = min(left + now.seconds(since: since) * perSecond, burst) }
        since = now
        let wait = max((1 - left) / perSecond, 0)
        if wait > patienceSeconds { return nil }
        left -= 1
        return wait
    }

    /// The question was for something that there is.
    mutating func giveBack() { left = min(left + 1, burst) }
}
