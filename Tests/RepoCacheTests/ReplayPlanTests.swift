import HubClient
import Testing
import TestSupport

@testable import RepoCache

@Suite
struct ReplayPlanTests {
    private static let mebibyte: UInt64 = 1 << 20

    private func location(_ number: Int, size: UInt64) -> ContentLocation {
        let digits = String(number, radix: 16)
        let hex = String(repeating: "0", count: 64 - digits.count) + digits
        return ContentLocation(
            repo: CacheFixture.repo, commit: CacheFixture.commit, path: "file-\(number)",
            content: .lfs(LFSOID(hex: hex)!), size: size)
    }

    /// So many files, each read whole.
    private func plan(
        _ count: Int, bytes: UInt64, isSure: Bool = false, aheadBytesMax: UInt64 = 1 << 40
    ) -> ReplayPlan {
        let steps = (0..<count).map {
            ReplayPlan.Step(location($0, size: bytes), 0..<bytes)
        }
        return ReplayPlan(steps, isSure: isSure, aheadBytesMax: aheadBytesMax)
    }

    private func takeAll(_ plan: inout ReplayPlan) -> [Int] {
        var taken: [Int] = []
        while let step = plan.takeStep() { taken.append(step) }
        return taken
    }

    private func take(_ plan: inout ReplayPlan) -> Int? { plan.takeStep() }

    /// Has a program read all of a file.
    private func read(_ plan: inout ReplayPlan, _ number: Int, bytes: UInt64) -> Bool {
        plan.read(0..<bytes, of: location(number, size: bytes).content)
    }

    @Test("nothing is given out before something of the order was read")
    func waits() {
        var plan = plan(100, bytes: Self.mebibyte)
        #expect(take(&plan) == nil)
        #expect(!read(&plan, 1000, bytes: 10))
        #expect(take(&plan) == nil)
        #expect(read(&plan, 0, bytes: Self.mebibyte))
        #expect(takeAll(&plan) == [1])
    }

    @Test("each of the first ranges that are found opens the window further")
    func opens() {
        var plan = plan(1000, bytes: Self.mebibyte)
        var given = 0
        for (number, window) in [(0, 1), (1, 16), (2, 64)] {
            _ = read(&plan, number, bytes: Self.mebibyte)
            given += takeAll(&plan).count
            let used = number == 2 ? 2 * 3 : 0
            #expect(plan.aheadBytes <= UInt64(window + used) * Self.mebibyte)
            #expect(plan.aheadBytes + Self.mebibyte > UInt64(window + used) * Self.mebibyte)
        }
        #expect(plan.isTrusted && given > 64)
    }

    @Test("what is far from the beginning shows nothing yet")
    func beginning() {
        var plan = plan(100, bytes: Self.mebibyte)
        #expect(!read(&plan, 50, bytes: Self.mebibyte))
        #expect(take(&plan) == nil)
        #expect(read(&plan, 15, bytes: Self.mebibyte))
        #expect(take(&plan) == 16)
    }

    @Test("a program that reads on has all of it fetched, never more than three times what it used")
    func follows() {
        var plan = plan(3000, bytes: Self.mebibyte)
        var given = 0
        for number in 0..<3000 {
            #expect(read(&plan, number, bytes: Self.mebibyte))
            given += takeAll(&plan).count
            #expect(given <= 64 + 3 * (number + 1) + 1)
        }
        // All but the first, which its reader had asked for.
        #expect(given == 2999)
        #expect(plan.aheadBytes == 0)
    }

    @Test("a program that stops has no more fetched")
    func stops() {
        var plan = plan(3000, bytes: Self.mebibyte)
        for number in 0..<3 { _ = read(&plan, number, bytes: Self.mebibyte) }
        #expect(takeAll(&plan).count <= 70)
        #expect(takeAll(&plan).isEmpty)
    }

    @Test("with a wish it begins at once, as far as there may be anything ahead")
    func sure() {
        var plan = plan(100, bytes: Self.mebibyte, isSure: true, aheadBytesMax: 10 << 20)
        #expect(takeAll(&plan) == Array(0..<10))
        #expect(read(&plan, 0, bytes: Self.mebibyte))
        #expect(takeAll(&plan) == [10])
    }

    @Test("what was here already, and what failed, is not ahead of anybody")
    func here() {
        var plan = plan(100, bytes: Self.mebibyte, isSure: true, aheadBytesMax: 4 << 20)
        for step in takeAll(&plan) { plan.ended(step, isFetched: false) }
        #expect(plan.aheadBytes == 0)
        let next = takeAll(&plan)
        #expect(next == [4, 5, 6, 7])
        for step in next { plan.ended(step, isFetched: true) }
        #expect(takeAll(&plan).isEmpty)
    }

    @Test("where the reader goes on elsewhere it goes on there, and comes back at the end")
    func jumps() {
        var plan = plan(40, bytes: Self.mebibyte, isSure: true, aheadBytesMax: 2 << 20)
        #expect(takeAll(&plan) == [0, 1])
        _ = read(&plan, 30, bytes: Self.mebibyte)
        _ = read(&plan, 0, bytes: Self.mebibyte)
        _ = read(&plan, 1, bytes: Self.mebibyte)
        #expect(takeAll(&plan) == [31, 32])
        var rest: [Int] = []
        for number in 31..<40 {
            _ = read(&plan, number, bytes: Self.mebibyte)
            rest += takeAll(&plan)
        }
        #expect(rest == Array(33..<40) + [2, 3])
    }

    @Test("the rest of a range that was begun is given out")
    func part() {
        let file = location(0, size: 8 << 20)
        var plan = ReplayPlan(
            [ReplayPlan.Step(file, 0..<8 << 20)], isSure: true, aheadBytesMax: 1 << 40)
        _ = plan.read(0..<Self.mebibyte, of: file.content)
        #expect(take(&plan) == 0)
        #expect(plan.aheadBytes == 7 << 20)
        _ = plan.read(Self.mebibyte..<8 << 20, of: file.content)
        #expect(plan.aheadBytes == 0 && take(&plan) == nil)
    }

    @Test("it is left when too little of what is read is in it", arguments: [false, true])
    func leaves(isSure: Bool) {
        var plan = plan(1000, bytes: 1000, isSure: isSure)
        for number in 0..<3 { _ = read(&plan, number, bytes: 1000) }
        var strangerCount = 0
        while !plan.hasLeft, strangerCount < 1000 {
            #expect(!read(&plan, 5000 + strangerCount, bytes: 1000))
            strangerCount += 1
        }
        // Three of 13 are less than a quarter; a wish is doubted when there were 32.
        #expect(strangerCount == (isSure ? 29 : 10))
        #expect(take(&plan) == nil)
        #expect(!read(&plan, 4, bytes: 1000))
    }

    @Test("it is kept as long as a quarter is in it")
    func keeps() {
        var plan = plan(1000, bytes: 1000)
        for number in 0..<500 {
            #expect(read(&plan, number, bytes: 1000))
            for stranger in 0..<3 { _ = read(&plan, 5000 + 3 * number + stranger, bytes: 1000) }
            #expect(!plan.hasLeft)
        }
    }

    @Test("a content that the kernel reads by itself is taken for read")
    func kernel() {
        let file = location(0, size: 64 << 20)
        let steps = (0..<8).map { number in
            let start = UInt64(number) * 8 * Self.mebibyte
            return ReplayPlan.Step(file, start..<start + 8 * Self.mebibyte)
        }
        var plan = ReplayPlan(steps, isSure: true, aheadBytesMax: 16 << 20)
        #expect(takeAll(&plan) == [0, 1])
        let isKnown = plan.readWhole(file.content)
        #expect(isKnown)
        #expect(plan.aheadBytes == 0 && take(&plan) == nil)
        let isOther = plan.readWhole(location(1, size: 1).content)
        #expect(!isOther)
    }
}
