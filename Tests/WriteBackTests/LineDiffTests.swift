import Testing

@testable import WriteBack

@Suite struct LineDiffTests {
    /// What a difference makes of the old text.
    private func applied(_ diff: LineDiff, _ old: [Int32], _ new: [Int32]) -> [Int32] {
        var result: [Int32] = []
        var line = 0
        for change in diff.changes {
            result += old[line..<change.old.lowerBound] + new[change.new]
            line = change.old.upperBound
        }
        return result + old[line...]
    }

    /// Lines removed and added by the shortest difference, by the textbook's table.
    private func shortest(_ old: [Int32], _ new: [Int32]) -> Int {
        var row = Array(0...new.count)
        for (index, line) in old.enumerated() {
            var next = [index + 1]
            for (column, other) in new.enumerated() {
                next.append(line == other ? row[column] : min(row[column + 1], next[column]) + 1)
            }
            row = next
        }
        return row[new.count]
    }

    private func editCount(_ diff: LineDiff) -> Int {
        diff.changes.reduce(0) { $0 + $1.old.count + $1.new.count }
    }

    @Test func everyPairOfShortTextsIsTransformedInTheFewestSteps() {
        var texts: [[Int32]] = [[]]
        for length in 1...5 {
            for code in 0..<(1 << length) {
                texts.append((0..<length).map { Int32(code >> $0 & 1) })
            }
        }
        for old in texts {
            for new in texts {
                let diff = LineDiff(old, new)
                #expect(applied(diff, old, new) == new, "\(old) -> \(new)")
                #expect(editCount(diff) == shortest(old, new), "\(old) -> \(new)")
            }
        }
    }

    @Test func changesAreInOrderAndApart() {
        var random = SplitMix(seed: 7)
        for _ in 0..<300 {
            let old = (0..<40).map { _ in Int32(random.next() % 6) }
            let new = (0..<Int(random.next() % 60)).map { _ in Int32(random.next() % 6) }
            let diff = LineDiff(old, new)
            #expect(applied(diff, old, new) == new)
            #expect(editCount(diff) == shortest(old, new))
            for (first, second) in zip(diff.changes, diff.changes.dropFirst()) {
                #expect(first.old.upperBound < second.old.lowerBound)
                #expect(first.new.upperBound < second.new.lowerBound)
            }
        }
    }

    @Test func beyondTheBoundsTheMiddleIsOneChange() {
        let old = [Int32](0..<100)
        let new = old.map { (40..<60).contains($0) ? $0 + 1000 : $0 }
        let few = LineDiff(old, new, editCountMax: 39)
        #expect(few.changes == [LineDiff.Change(old: 40..<60, new: 40..<60)])
        let slow = LineDiff(old + [7], [8] + new, comparisonCountMax: 10)
        #expect(slow.changes == [LineDiff.Change(old: 0..<101, new: 0..<101)])
        #expect(applied(slow, old + [7], [8] + new) == [8] + new)
    }

    /// Source: S. Vigna, SplitMix64, public domain.
    private struct SplitMix {
        private var state: UInt64

        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }
}

@Suite struct TextDiffTests {
    private func diff(_ old: String, _ new: String) -> TextDiff? {
        TextDiff(old: Array(old.utf8), new: Array(new.utf8))
    }

    @Test func aLineInTheMiddleComesWithItsContext() {
        let old = (1...9).map { "\($0)\n" }.joined()
        let result = diff(old, old.replacing("5\n", with: "five\nand more\n"))
        #expect(
            result?.hunks == """
                @@ -2,7 +2,8 @@
                 2
                 3
                 4
                -5
                +five
                +and more
                 6
                 7
                 8

                """)
        #expect(result?.addedCount == 2 && result?.removedCount == 1)
    }

    @Test func differencesFarApartAreHunksOfTheirOwn() {
        let old = (1...30).map { "\($0)\n" }.joined()
        let near = diff(
            old, old.replacing("\n5\n", with: "\nx\n").replacing("\n12\n", with: "\ny\n"))
        let far = diff(
            old, old.replacing("\n5\n", with: "\nx\n").replacing("\n13\n", with: "\ny\n"))
        #expect(near?.hunks.split(separator: "@@ -").count == 1)
        #expect(far?.hunks.split(separator: "@@ -").count == 2)
    }

    @Test func newAndEmptyTextsHaveNoLineBefore() {
        #expect(diff("", "a\n")?.hunks == "@@ -0,0 +1 @@\n+a\n")
        #expect(diff("a\nb\n", "")?.hunks == "@@ -1,2 +0,0 @@\n-a\n-b\n")
        #expect(diff("", "")?.hunks == "")
    }

    @Test func aMissingNewlineAtTheEndIsADifference() {
        #expect(
            diff("a\nb", "a\nb\n")?.hunks == """
                @@ -1,2 +1,2 @@
                 a
                -b
                \\ No newline at end of file
                +b

                """)
    }

    @Test func whatIsNoTextIsNotCompared() {
        #expect(TextDiff(old: [0], new: []) == nil)
        #expect(TextDiff(old: [], new: [0xff, 0xfe]) == nil)
        #expect(diff("é", "ü") != nil)
    }
}
