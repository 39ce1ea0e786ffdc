import Platform

/// Ranges that could not be fetched a moment ago.
///
/// When a read fails, the kernel asks for its page once more, and for each further reader of the same
/// page again: without a memory of the failure each of them would wait for the whole time-out, one
/// after the other. So what has just failed fails at once, as long as the questions keep coming.
///
/// Pure; its owner calls it under a lock.
struct RecentFailures {
    private struct Failure {
        let bytes: Range<UInt64>
        let error: CacheError
        let since: MonotonicInstant
        var lastAsked: MonotonicInstant
    }

    /// The kernel asks again within milliseconds, on a busy machine later; who tries again after a
    /// pause of his own asks the Hub.
    static let gapSecondsMax = 0.4
    /// However many ask: after this long the Hub is asked again.
    static let totalSecondsMax = 1.0
    /// Ranges remembered: many readers of one stalled file fail together.
    static let countMax = 1024

    private var failures: [Failure] = []

    mutating func add(_ error: CacheError, _ bytes: Range<UInt64>, now: MonotonicInstant) {
        failures.removeAll { Self.isOver($0, now) || $0.bytes == bytes }
        if failures.count == Self.countMax { failures.removeFirst() }
        failures.append(Failure(bytes: bytes, error: error, since: now, lastAsked: now))
    }

    /// Why a range cannot be read now, if it is part of what has just failed.
    mutating func find(_ bytes: Range<UInt64>, now: MonotonicInstant) -> CacheError? {
        guard !failures.isEmpty else { return nil }
        failures.removeAll { Self.isOver($0, now) }
        guard let index = failures.firstIndex(where: { $0.bytes.overlaps(bytes) }) else {
            return nil
        }
        failures[index].lastAsked = now
        return failures[index].error
    }

    private static func isOver(_ failure: Failure, _ now: MonotonicInstant) -> Bool {
        now.seconds(since: failure.lastAsked) > gapSecondsMax
            || now.seconds(since: failure.since) > totalSecondsMax
    }
}
