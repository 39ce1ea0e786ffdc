/// How many large ranges are asked for at once.
///
/// It grows for as long as ranges come quickly, to what fills a fast link, and shrinks when they do
/// not: on a slow link, ranges beside each other would only make each other wait until they are taken for
/// stalled.
struct WarmWindow {
    /// Bytes of a large range: long enough for a connection to come up to its speed.
    static let rangeBytes: UInt64 = 8 << 20

    /// As many as there are connections for long ranges.
    private static let sizeMax = 24
    private static let quickSeconds = 4.0
    private static let slowSeconds = 12.0

    private(set) var size = 4

    /// Takes in how long a range took.
    mutating func ended(afterSeconds seconds: Double) {
        if seconds < Self.quickSeconds {
            size = min(size + 1, Self.sizeMax)
        } else if seconds > Self.slowSeconds {
            size = max(size / 2, 1)
        }
    }
}
