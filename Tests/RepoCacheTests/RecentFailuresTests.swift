import HubClient
import Platform
import Testing

@testable import RepoCache

@Suite struct RecentFailuresTests {
    private static let error = CacheError.hub(.offline)
    private static let start = MonotonicInstant(nanoseconds: 1_000_000_000)

    private func at(_ seconds: Double) -> MonotonicInstant {
        Self.start.advanced(bySeconds: seconds)
    }

    @Test func whatOverlapsFailsAtOnceAndTheRestDoesNot() {
        var failures = RecentFailures()
        failures.add(Self.error, 100..<200, now: at(0))
        #expect(failures.find(150..<160, now: at(0.01)) == Self.error)
        #expect(failures.find(0..<101, now: at(0.01)) == Self.error)
        #expect(failures.find(0..<100, now: at(0.01)) == nil)
        #expect(failures.find(200..<300, now: at(0.01)) == nil)
    }

    @Test func aProgramThatTriesAgainLaterIsServed() {
        var failures = RecentFailures()
        failures.add(Self.error, 0..<10, now: at(0))
        #expect(failures.find(0..<10, now: at(0.5)) == nil)
        #expect(failures.find(0..<10, now: at(0.5)) == nil)
    }

    @Test func aRowOfQuestionsIsAnsweredUntilTheTotalIsOver() {
        var failures = RecentFailures()
        failures.add(Self.error, 0..<10, now: at(0))
        for step in 1...19 {
            #expect(failures.find(0..<10, now: at(Double(step) * 0.05)) == Self.error)
        }
        #expect(failures.find(0..<10, now: at(1.04)) == nil)
    }

    @Test func theNumberIsBounded() {
        var failures = RecentFailures()
        for number in 0...UInt64(RecentFailures.countMax) {
            failures.add(Self.error, number..<number + 1, now: at(0))
        }
        #expect(failures.find(0..<1, now: at(0)) == nil)
        #expect(failures.find(1..<2, now: at(0)) == Self.error)
    }
}
