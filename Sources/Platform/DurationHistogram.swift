import Synchronization

/// Counts durations, from any thread and without a lock.
///
/// `@unchecked Sendable`: the memory is atomic numbers, made in `init` and freed in `deinit`.
package final class DurationHistogram: @unchecked Sendable {
    private let counts: UnsafeMutablePointer<Atomic<UInt64>>
    private let sum = Atomic<UInt64>(0)
    private let longest = Atomic<UInt64>(0)

    package init() {
        counts = .allocate(capacity: DurationBuckets.count)
        for index in 0..<DurationBuckets.count { (counts + index).initialize(to: Atomic(0)) }
    }

    deinit {
        counts.deinitialize(count: DurationBuckets.count)
        counts.deallocate()
    }

    package func record(nanoseconds: UInt64) {
        counts[DurationBuckets.index(nanoseconds: nanoseconds)].wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(nanoseconds, ordering: .relaxed)
        // A load is cheaper, and nearly always enough.
        if longest.load(ordering: .relaxed) < nanoseconds {
            longest.max(nanoseconds, ordering: .relaxed)
        }
    }

    /// What was counted so far. Counts of this moment may be in it or not.
    package var durations: Durations {
        var durations = Durations()
        for index in 0..<DurationBuckets.count {
            let count = counts[index].load(ordering: .relaxed)
            if count > 0 { durations.add(count, to: index) }
        }
        durations.sumNanoseconds = sum.load(ordering: .relaxed)
        durations.maxNanoseconds = longest.load(ordering: .relaxed)
        return durations
    }
}

/// Durations that were counted by bucket, see `DurationBuckets`.
package struct Durations: Hashable, Sendable {
    /// Counts by bucket. Invariant: none is 0.
    package private(set) var counts: [Int: UInt64] = [:]
    package private(set) var count: UInt64 = 0
    package var sumNanoseconds: UInt64 = 0
    /// The longest one, exactly.
    package var maxNanoseconds: UInt64 = 0

    package init() {}

    /// Adds so many to one bucket, the sum and the longest aside.
    ///
    /// - Parameter index: Below `DurationBuckets.count`.
    package mutating func add(_ count: UInt64, to index: Int) {
        precondition((0..<DurationBuckets.count).contains(index), "there is no bucket \(index)")
        guard count > 0 else { return }
        counts[index, default: 0] += count
        self.count += count
    }

    /// Puts those of another histogram to these.
    package mutating func add(_ other: Durations) {
        for (index, count) in other.counts { add(count, to: index) }
        sumNanoseconds += other.sumNanoseconds
        maxNanoseconds = max(maxNanoseconds, other.maxNanoseconds)
    }

    /// Those that were counted since `earlier`, of the same histogram. The longest of them is known to
    /// its bucket alone, unless it is the longest of all.
    package func since(_ earlier: Durations) -> Durations {
        var durations = Durations()
        for (index, count) in counts {
            durations.add(count - min(count, earlier.counts[index] ?? 0), to: index)
        }
        durations.sumNanoseconds = sumNanoseconds - min(sumNanoseconds, earlier.sumNanoseconds)
        if maxNanoseconds > earlier.maxNanoseconds {
            durations.maxNanoseconds = maxNanoseconds
        } else if let last = durations.counts.keys.max() {
            durations.maxNanoseconds = min(
                maxNanoseconds, DurationBuckets.nanoseconds(of: last).upperBound - 1)
        }
        return durations
    }

    /// The duration that a part of all do not exceed, at most 1/16 too long and never longer than the
    /// longest.
    ///
    /// - Parameter part: From 0 to 1: 0.99 is the 99th percentile.
    /// - Returns: nanoseconds; nil when nothing was counted.
    package func nanoseconds(atPart part: Double) -> UInt64? {
        guard count > 0 else { return nil }
        let rank = min(max(UInt64((Double(count) * part).rounded(.up)), 1), count)
        var passed: UInt64 = 0
        for (index, count) in counts.sorted(by: { $0.key < $1.key }) {
            passed += count
            if passed >= rank {
                return min(DurationBuckets.nanoseconds(of: index).upperBound - 1, maxNanoseconds)
            }
        }
        return maxNanoseconds
    }

    /// How many were shorter than `1 << octave` nanoseconds.
    package func count(belowOctave octave: Int) -> UInt64 {
        let end = DurationBuckets.firstIndex(ofOctave: octave)
        return counts.reduce(0) { $1.key < end ? $0 + $1.value : $0 }
    }
}
