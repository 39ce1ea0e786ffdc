package import HubClient

/// Bytes that somebody is expected to read.
package struct AheadItem: Hashable, Sendable {
    package let location: ContentLocation
    /// Which of its bytes. Contents that are verified before they are served are fetched whole.
    package let range: Range<UInt64>
    /// The source's own.
    package let tag: Int
    /// Whether a reader who comes by what was foreseen would have the same fetched as a stream: then
    /// it may use all of the streams' budget.
    package let isSure: Bool

    /// - Parameter range: nil for all of the content.
    package init(
        _ location: ContentLocation, range: Range<UInt64>? = nil, tag: Int = 0,
        isSure: Bool = false
    ) {
        self.location = location
        self.isSure = isSure
        self.range = (range ?? 0..<location.size).clamped(to: 0..<location.size)
        self.tag = tag
    }
}

/// What became of an `AheadItem`.
package enum AheadOutcome: Sendable {
    /// Nothing had to be fetched.
    case wasHere
    /// It is here now, or was when it came: nobody keeps it from eviction.
    case fetched
    case failed(CacheError)
}

/// Says what to fetch ahead, one thing after the other, when there is room for it.
///
/// A source is asked rather than given a queue: so nothing waits that could be out of date, and
/// whoever has changed his mind just answers otherwise.
package protocol AheadSource: AnyObject, Sendable {
    /// The next thing to fetch; nil when there is nothing now, until `Prefetcher.wake`. Called on the
    /// prefetcher's thread, without locks; must not wait for the network.
    func next() -> AheadItem?

    /// Ends an item that `next` gave out, once. Called on any thread, without locks.
    func ended(_ item: AheadItem, _ outcome: AheadOutcome)
}
