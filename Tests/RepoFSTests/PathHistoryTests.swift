import Testing

@testable import RepoFS

@Suite struct PathHistoryTests {
    private let path: UInt64 = 77

    @Test func whatNeverChangedHasItsOwnNumberAndTheFirstDate() {
        var history = PathHistory(nanoseconds: 5)
        history.move(nanoseconds: 9)
        #expect(history.number(of: path) == path)
        #expect(history.moment(of: path, in: history.first).nanoseconds == 5)
    }

    @Test func eachObjectAtAPathHasANumberOfItsOwn() {
        var history = PathHistory(nanoseconds: 0)
        var numbers: Set<UInt64> = [history.number(of: path)]
        for _ in 0..<4 {
            history.move(nanoseconds: 1)
            history.replace(path)
            numbers.insert(history.number(of: path))
        }
        #expect(numbers.count == 5)
        history.change(path)
        #expect(numbers.contains(history.number(of: path)))
    }

    @Test func theLastChangeCountsWhateverTheDatesAre() {
        var history = PathHistory(nanoseconds: 100)
        history.move(nanoseconds: 50)
        history.change(path)
        #expect(history.moment(of: path, in: history.first).nanoseconds == 50)
        // The directory changed after that, while nobody looked: so may the file have.
        history.move(nanoseconds: 20)
        history.changeBelow(1)
        let below = history.momentBelow(1, in: history.first)
        #expect(below.nanoseconds == 20)
        #expect(history.moment(of: path, in: below).nanoseconds == 20)
        #expect(history.moment(of: 78, in: below).nanoseconds == 20)
        history.move(nanoseconds: 10)
        history.change(path)
        #expect(history.moment(of: path, in: below).nanoseconds == 10)
    }

    @Test func tooManyPathsAreForgottenAndNothingGetsOlder() {
        var history = PathHistory(nanoseconds: 1)
        history.move(nanoseconds: 2)
        for path in 0...UInt64(PathHistory.pathCountMax) { history.change(path) }
        history.move(nanoseconds: 3)
        #expect(history.moment(of: path, in: history.first).nanoseconds == 3)
    }
}
