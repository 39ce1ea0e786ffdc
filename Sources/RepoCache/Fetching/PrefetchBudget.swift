import Platform

/// Bounds what prefetch has under way in the whole process. Demand is not held back by it.
final class PrefetchBudget: Sendable {
    private struct Use {
        var fetchCount = 0
        var byteCount: UInt64 = 0
    }

    private let fetchCountMax: Int
    private let byteCountMax: UInt64
    private let use = Guarded(Use(), rank: .leaf)

    init(fetchCountMax: Int, byteCountMax: UInt64) {
        self.fetchCountMax = fetchCountMax
        self.byteCountMax = byteCountMax
    }

    /// Takes one fetch of `bytes` into the budget.
    ///
    /// - Returns: false when there is no room; nothing was taken.
    func take(_ bytes: UInt64) -> Bool {
        use.withLock { use in
            guard use.fetchCount < fetchCountMax, use.byteCount + bytes <= byteCountMax else {
                return false
            }
            use.fetchCount += 1
            use.byteCount += bytes
            return true
        }
    }

    /// Gives back what one successful `take` took.
    func giveBack(_ bytes: UInt64) {
        use.withLock { use in
            use.fetchCount -= 1
            use.byteCount -= bytes
        }
    }
}
