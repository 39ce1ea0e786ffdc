import Platform

/// Bounds what prefetch has under way in the whole process. Demand is not held back by it.
final class PrefetchBudget: Sendable {
    private struct Use {
        var fetchCount = 0
        var byteCount: UInt64 = 0
    }

    let fetchCountMax: Int
    let byteCountMax: UInt64
    private let use = Guarded(Use(), rank: .leaf)

    init(fetchCountMax: Int, byteCountMax: UInt64) {
        self.fetchCountMax = fetchCountMax
        self.byteCountMax = byteCountMax
    }

    /// Takes one fetch of `bytes` into the budget.
    ///
    /// - Parameter leavesHalf: Only while the other half stays free.
    /// - Returns: false when there is no room; nothing was taken.
    func take(_ bytes: UInt64, leavesHalf: Bool = false) -> Bool {
        let part: UInt64 = leavesHalf ? 2 : 1
        return use.withLock { use in
            guard use.fetchCount < fetchCountMax / Int(part),
                use.byteCount + bytes <= byteCountMax / part
            else { return false }
            use.fetchCount += 1
            use.byteCount += bytes
            return true
        }
    }

    /// What was taken and not given back.
    var underWay: (fetchCount: Int, byteCount: UInt64) {
        use.withLock { ($0.fetchCount, $0.byteCount) }
    }

    /// Whether so many fetches more would find room, bytes aside.
    func hasRoom(forFetches count: Int) -> Bool {
        use.withLock { $0.fetchCount + count <= fetchCountMax }
    }

    /// Gives back what one successful `take` took.
    func giveBack(_ bytes: UInt64) {
        use.withLock { use in
            use.fetchCount -= 1
            use.byteCount -= bytes
        }
    }
}
