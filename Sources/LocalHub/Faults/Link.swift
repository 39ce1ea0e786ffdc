/// A network path as one TCP connection sees it.
///
/// A connection passes at most `windowBytes` in each round trip; each request waits one round trip
/// before its first byte, and a new connection one more.
package struct Link: Codable, Equatable, Sendable {
    package var rttMilliseconds: Double
    /// Nil: no limit.
    package var windowBytes: Int?

    package init(rttMilliseconds: Double, windowBytes: Int?) {
        self.rttMilliseconds = rttMilliseconds
        self.windowBytes = windowBytes
    }

    /// Reads `rtt=20ms,window=2900KB`.
    package init?(_ text: String) {
        var rtt: Double?
        var window: Int?
        for part in text.split(separator: ",") {
            let sides = part.split(separator: "=", maxSplits: 1)
            guard sides.count == 2 else { return nil }
            switch sides[0] {
            case "rtt":
                guard let value = Quantity.milliseconds(sides[1]) else { return nil }
                rtt = value
            case "window":
                guard let value = Quantity.bytes(sides[1]), value > 0 else { return nil }
                window = value
            default:
                return nil
            }
        }
        guard let rtt else { return nil }
        self.init(rttMilliseconds: rtt, windowBytes: window)
    }

    var rtt: Duration { .milliseconds(rttMilliseconds) }

    /// How long so many bytes keep the link busy.
    func duration(of bytes: Int) -> Duration {
        guard let windowBytes else { return .zero }
        return rtt * (Double(bytes) / Double(windowBytes))
    }

    /// Pieces small enough that the pace is even: an eighth of a window.
    func pieceSize(_ usual: Int) -> Int {
        guard let windowBytes else { return usual }
        return min(usual, max(4096, windowBytes / 8))
    }
}

/// When a connection may send next.
struct LinkPace: Sendable {
    private var isNew = true
    private var freeAt: ContinuousClock.Instant?

    /// A request came in.
    ///
    /// - Returns: when its first byte may leave.
    mutating func begin(_ link: Link, now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        let wait = isNew ? link.rtt * 2 : link.rtt
        isNew = false
        return now + wait
    }

    /// - Returns: when so many bytes have passed, queued behind all before them.
    mutating func pass(
        _ bytes: Int, _ link: Link, now: ContinuousClock.Instant
    ) -> ContinuousClock.Instant {
        let start = max(freeAt ?? now, now)
        let end = start + link.duration(of: bytes)
        freeAt = end
        return end
    }
}
