/// The difference of two texts, given as numbers that are equal where lines are: pure.
///
/// The shortest one (E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986), unless
/// that would take too long: then everything between the first and the last difference is one.
struct LineDiff {
    /// Lines that were replaced; one of the ranges may be empty.
    struct Change: Hashable {
        var old: Range<Int>
        var new: Range<Int>
    }

    /// In order; two of them never touch on both sides.
    private(set) var changes: [Change] = []

    /// Removed and added lines together up to which the shortest difference is looked for; 4 bytes of
    /// memory for its square.
    static let editCountMax = 1024
    /// Comparisons of lines that looking for it may take, a fraction of a second.
    static let comparisonCountMax = 20_000_000

    init(
        _ old: [Int32], _ new: [Int32], editCountMax: Int = Self.editCountMax,
        comparisonCountMax: Int = Self.comparisonCountMax
    ) {
        var start = 0
        while start < min(old.count, new.count), old[start] == new[start] { start += 1 }
        var tail = 0
        while tail < min(old.count, new.count) - start,
            old[old.count - 1 - tail] == new[new.count - 1 - tail]
        { tail += 1 }
        let whole = Change(old: start..<old.count - tail, new: start..<new.count - tail)
        if whole.old.isEmpty && whole.new.isEmpty { return }
        guard !whole.old.isEmpty, !whole.new.isEmpty,
            let steps = Search(
                Array(old[whole.old]), Array(new[whole.new]), editCountMax: editCountMax,
                comparisonsLeft: comparisonCountMax
            ).steps()
        else {
            changes = [whole]
            return
        }
        for step in steps { append(step, offset: start) }
    }

    private mutating func append(_ step: Step, offset: Int) {
        let (old, new) = (step.old + offset, step.new + offset)
        let (oldEnd, newEnd) = step.isRemoval ? (old + 1, new) : (old, new + 1)
        if let last = changes.last, last.old.upperBound == old, last.new.upperBound == new {
            changes[changes.count - 1] = Change(
                old: last.old.lowerBound..<oldEnd, new: last.new.lowerBound..<newEnd)
        } else {
            changes.append(Change(old: old..<oldEnd, new: new..<newEnd))
        }
    }

    /// One line removed or added, at this place of both texts.
    private struct Step {
        let old: Int
        let new: Int
        let isRemoval: Bool
    }

    /// Looks for the shortest difference along diagonals: `diagonal = old - new`.
    private struct Search {
        private let old: [Int32]
        private let new: [Int32]
        private let editCountMax: Int
        private var comparisonsLeft: Int
        /// After each count of edits: the furthest old line on the diagonals from `-count` to `count`.
        private var reached: [[Int32]] = []

        init(_ old: [Int32], _ new: [Int32], editCountMax: Int, comparisonsLeft: Int) {
            self.old = old
            self.new = new
            self.editCountMax = editCountMax
            self.comparisonsLeft = comparisonsLeft
        }

        /// - Returns: the steps in order; nil when they were not found in the bounds.
        consuming func steps() -> [Step]? {
            let last = old.count - new.count
            for count in 0...min(old.count + new.count, editCountMax) {
                reached.append([Int32](repeating: -1, count: 2 * count + 1))
                let low = -(count - 2 * max(0, count - new.count))
                let high = count - 2 * max(0, count - old.count)
                for diagonal in stride(from: low, through: high, by: 2) {
                    var line = start(of: diagonal, after: count)
                    while line < old.count, line - diagonal < new.count,
                        old[line] == new[line - diagonal]
                    {
                        line += 1
                        comparisonsLeft -= 1
                    }
                    reached[count][diagonal + count] = Int32(line)
                    if diagonal == last, line >= old.count { return backtrack(from: count) }
                }
                comparisonsLeft -= count
                if comparisonsLeft < 0 { return nil }
            }
            return nil
        }

        private func furthest(_ diagonal: Int, after count: Int) -> Int {
            guard count >= 0, abs(diagonal) <= count else { return -1 }
            return Int(reached[count][diagonal + count])
        }

        /// Whether a diagonal is reached by adding a line, from the one above it.
        private func isAddition(_ diagonal: Int, _ count: Int) -> Bool {
            let below = furthest(diagonal - 1, after: count - 1)
            let above = furthest(diagonal + 1, after: count - 1)
            return below < above
        }

        private func start(of diagonal: Int, after count: Int) -> Int {
            if count == 0 { return 0 }
            return isAddition(diagonal, count)
                ? furthest(diagonal + 1, after: count - 1)
                : furthest(diagonal - 1, after: count - 1) + 1
        }

        private func backtrack(from count: Int) -> [Step] {
            var steps: [Step] = []
            var diagonal = old.count - new.count
            for count in stride(from: count, to: 0, by: -1) {
                if isAddition(diagonal, count) {
                    diagonal += 1
                    let line = furthest(diagonal, after: count - 1)
                    steps.append(Step(old: line, new: line - diagonal, isRemoval: false))
                } else {
                    diagonal -= 1
                    let line = furthest(diagonal, after: count - 1)
                    steps.append(Step(old: line, new: line - diagonal, isRemoval: true))
                }
            }
            return steps.reversed()
        }
    }
}
