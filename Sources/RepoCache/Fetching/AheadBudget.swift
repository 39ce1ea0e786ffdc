/// Bounds what `Prefetcher` has under way. Small requests have connections of their own; large ones
/// share the streams' readahead's budget, and leave the second half of it to that, unless they are sure.
final class AheadBudget: Sendable {
    /// Requests up to this size use the connections for small ones.
    static let smallBytesMax: UInt64 = 256 << 10

    private let small: PrefetchBudget
    private let large: PrefetchBudget

    /// - Parameter large: The streams'.
    init(smallCountMax: Int, large: PrefetchBudget) {
        small = PrefetchBudget(
            fetchCountMax: smallCountMax, byteCountMax: UInt64(smallCountMax) * Self.smallBytesMax)
        self.large = large
    }

    /// Takes one request of so many bytes.
    ///
    /// - Parameter isSure: It may use the part that is left to streams, see `AheadItem`.
    /// - Returns: false when there is no room; nothing was taken.
    func take(_ bytes: UInt64, isSure: Bool) -> Bool {
        bytes <= Self.smallBytesMax ? small.take(bytes) : large.take(bytes, leavesHalf: !isSure)
    }

    /// Whether it is worth to ask again: a place for each small request as it ends would wake the
    /// prefetcher's thread for each.
    var isWorthAsking: Bool { small.hasRoom(forFetches: min(4, small.fetchCountMax)) }

    func giveBack(_ bytes: UInt64) {
        if bytes <= Self.smallBytesMax { small.giveBack(bytes) } else { large.giveBack(bytes) }
    }
}
