import Testing

@testable import Platform

@Suite struct DurationTests {
    @Test func everyBucketBeginsWhereTheOneBeforeEnds() {
        var end: UInt64 = 0
        for index in 0..<DurationBuckets.count {
            let range = DurationBuckets.nanoseconds(of: index)
            #expect(range.lowerBound == end)
            #expect(DurationBuckets.index(nanoseconds: range.lowerBound) == index)
            #expect(DurationBuckets.index(nanoseconds: range.upperBound - 1) == index)
            // What a bucket says is wrong by 1/16 at most.
            #expect(UInt64(range.count - 1) * 16 <= range.lowerBound)
            end = range.upperBound
        }
        #expect(end == 1 << 40)
        #expect(DurationBuckets.index(nanoseconds: .max) == DurationBuckets.count - 1)
    }

    /// Durations of many sizes, the same in every run.
    private static let known: [UInt64] = (0..<20_000).map { number in
        var value = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
        value ^= value >> 29
        return value >> (30 + UInt64(number % 30))
    }

    @Test(arguments: [0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0])
    func percentilesAreThoseOfTheDataUpToASixteenth(part: Double) throws {
        let histogram = DurationHistogram()
        for nanoseconds in Self.known { histogram.record(nanoseconds: nanoseconds) }
        let durations = histogram.durations
        let sorted = Self.known.sorted()
        let rank = max(Int((Double(sorted.count) * part).rounded(.up)), 1)
        let exact = sorted[rank - 1]
        let shown = try #require(durations.nanoseconds(atPart: part))
        #expect(shown >= exact)
        #expect(shown - exact <= exact / 16)
        #expect(durations.count == UInt64(sorted.count))
        #expect(durations.sumNanoseconds == sorted.reduce(0, +))
        #expect(durations.maxNanoseconds == sorted.last)
    }

    @Test func countsBelowAPowerOfTwoAreExact() {
        let histogram = DurationHistogram()
        for nanoseconds in Self.known { histogram.record(nanoseconds: nanoseconds) }
        let durations = histogram.durations
        for octave in 4..<40 {
            let below = Self.known.count { $0 < 1 << UInt64(octave) }
            #expect(durations.count(belowOctave: octave) == UInt64(below))
        }
    }

    @Test func whatWasCountedSinceIsToldApart() {
        let histogram = DurationHistogram()
        histogram.record(nanoseconds: 5_000_000)
        let before = histogram.durations
        histogram.record(nanoseconds: 1000)
        histogram.record(nanoseconds: 3000)
        let since = histogram.durations.since(before)
        #expect(since.count == 2)
        #expect(since.sumNanoseconds == 4000)
        #expect((3000..<3200).contains(since.maxNanoseconds))
        #expect((1000..<1070).contains(since.nanoseconds(atPart: 0.5) ?? 0))
        #expect(since.since(since).nanoseconds(atPart: 0.5) == nil)
    }

    @Test func threadsCountTogether() {
        let histogram = DurationHistogram()
        let threads = (0..<4).map { _ in
            Thread(name: "count") {
                for number in 0..<10_000 { histogram.record(nanoseconds: UInt64(number)) }
            }
        }
        for thread in threads { thread.join() }
        #expect(histogram.durations.count == 40_000)
        #expect(histogram.durations.maxNanoseconds == 9999)
    }
}
