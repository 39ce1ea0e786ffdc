import FuseBridge
import Platform

/// One line of `hubfs stats --watch`: what was counted in one interval.
enum StatsLine {
    /// Width of each column, and what stands above it.
    private static let heads = [
        (8, "reads/s"), (10, "read/s"), (8, "from here"), (9, "p50"), (9, "p99"), (7, "waited"),
        (9, "p99"), (8, "meta/s"), (9, "p99"), (7, "hub/s"), (10, "hub/s"), (6, "now"),
        (10, "dirty"), (10, "memory"),
    ]

    /// What stands above the columns, on two lines.
    static let titles: [String] = [
        line([
            "", "", "", "at once", "", "for hub", "", "", "", "request", "", "under", "", "",
        ]),
        line(heads.map(\.1)),
    ]

    /// - Parameters:
    ///   - figures: Of the interval.
    ///   - seconds: Its length.
    static func text(_ figures: MountFigures, seconds: Double) -> String {
        let (atOnce, waited) = (figures[.readAtOnce], figures[.readAfterWait])
        let metadata = figures[.metadata]
        func rate(_ count: Double) -> Double { seconds > 0 ? count / seconds : 0 }
        func size(_ bytes: Double) -> String { readableSize(UInt64(max(bytes, 0))) }
        func slow(_ nanoseconds: UInt64?) -> String { StatsText.duration(nanoseconds) }
        return line([
            StatsText.count(rate(Double(atOnce.count + waited.count))),
            size(rate(figures[.readBytes] ?? 0)),
            figures.hitRatio.map(StatsText.percent) ?? "-",
            slow(atOnce.nanoseconds(atPart: 0.5)), slow(atOnce.nanoseconds(atPart: 0.99)),
            "\(waited.count)", slow(waited.nanoseconds(atPart: 0.99)),
            StatsText.count(rate(Double(metadata.count))), slow(metadata.nanoseconds(atPart: 0.99)),
            StatsText.fixed(rate(figures.sum(.hubRequests))),
            size(rate(figures.sum(.hubReceivedBytes))),
            StatsText.count(figures[.hubRequestsUnderWay] ?? 0),
            figures[.dirtyBytes].map(size) ?? "-", size(figures[.residentMemory] ?? 0),
        ])
    }

    private static func line(_ cells: [String]) -> String {
        zip(heads, cells).map { head, cell in
            String(repeating: " ", count: max(0, head.0 - cell.count)) + cell
        }.joined(separator: " ")
    }
}
