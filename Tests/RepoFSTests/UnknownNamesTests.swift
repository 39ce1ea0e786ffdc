import Platform
import Testing

@testable import RepoFS

@Suite struct UnknownNamesTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    private func after(_ seconds: Double) -> MonotonicInstant { start.advanced(bySeconds: seconds) }

    @Test func aVerdictHoldsForItsTime() {
        var names = UnknownNames(countMax: 10)
        names.add("a", .absent, until: after(60), now: start)
        #expect(names.find("a", now: after(59))?.error == .absent)
        #expect(names.find("a", now: after(59))?.seconds == 1)
        #expect(names.find("a", now: after(60)) == nil)
        names.add("b", .absent, until: after(60), now: start)
        names.remove("b")
        #expect(names.find("b", now: start) == nil)
    }

    @Test func thereAreNeverMoreThanTheBound() {
        var names = UnknownNames(countMax: 10)
        for number in 0..<10 {
            names.add("\(number)", .absent, until: after(Double(number + 1)), now: start)
        }
        // Those that do not hold any more make room.
        names.add("new", .absent, until: after(60), now: after(5))
        #expect((0..<10).filter { names.find("\($0)", now: start) != nil } == [5, 6, 7, 8, 9])
        for number in 0..<100 {
            names.add("more \(number)", .absent, until: after(60), now: after(5))
            #expect(names.find("more \(number)", now: after(5)) != nil)
        }
        let left = (0..<100).filter { names.find("more \($0)", now: after(5)) != nil }
        #expect(left.count <= 10)
    }

    /// What `count` questions at one time are told.
    private func waits(
        _ budget: inout UnknownNamesBudget, _ count: Int, at instant: MonotonicInstant,
        patience: Double
    ) -> [Double?] {
        var waits: [Double?] = []
        for _ in 0..<count { waits.append(budget.take(now: instant, patienceSeconds: patience)) }
        return waits
    }

    @Test func theBudgetLetsABurstThroughAndThenOneAfterTheOther() {
        var budget = UnknownNamesBudget(burst: 3, perSecond: 2)
        let first = waits(&budget, 6, at: start, patience: 10)
        #expect(first == [0, 0, 0, 0.5, 1, 1.5])
        // Those that wait have taken what comes.
        let second = waits(&budget, 1, at: after(1), patience: 10)
        #expect(second == [1])
        let third = waits(&budget, 1, at: after(100), patience: 10)
        #expect(third == [0])
    }

    @Test func whoWouldWaitTooLongTakesNothing() {
        var budget = UnknownNamesBudget(burst: 1, perSecond: 1)
        let first = waits(&budget, 10, at: start, patience: 1)
        #expect(first == [0, 1] + [Double?](repeating: nil, count: 8))
        let second = waits(&budget, 1, at: after(1), patience: 1)
        #expect(second == [1])
    }

    @Test func whatThereIsCostsNothingInTheEnd() {
        var budget = UnknownNamesBudget(burst: 2, perSecond: 1)
        for _ in 0..<100 {
            let wait = waits(&budget, 1, at: start, patience: 0)
            #expect(wait == [0])
            budget.giveBack()
        }
        budget.giveBack()
        let left = waits(&budget, 3, at: start, patience: 0)
        #expect(left == [0, 0, nil])
    }
}
