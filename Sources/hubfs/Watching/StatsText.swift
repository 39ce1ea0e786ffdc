import FuseBridge
import Platform

/// What `hubfs stats` shows people of a mount's figures.
struct StatsText {
    let figures: MountFigures
    /// Over how long they were counted, seconds.
    let seconds: Double

    /// - Parameter nowSeconds: Since 1970.
    init(sinceMounted figures: MountFigures, nowSeconds: Double) {
        self.figures = figures
        seconds = max(nowSeconds - (figures[.startTime] ?? nowSeconds), 0)
    }

    /// All of it.
    var lines: [String] {
        var facts = [["reads", readsText]]
        if let written = figures[.writtenBytes], written > 0 {
            facts.append(["writes", "\(size(written)), \(rate(written, size))"])
        }
        facts += [
            ["readahead", aheadText], ["from the Hub", hubText], ["requests left", quotaText],
        ]
        if let files = figures[.dirtyFiles], let bytes = figures[.dirtyBytes] {
            let noun = files == 1 ? "file" : "files"
            facts.append(["not committed", "\(Self.count(files)) \(noun), \(size(bytes))"])
        }
        if let repos = figures[.openRepos] { facts.append(["open repos", Self.count(repos)]) }
        facts.append(["memory", memoryText])
        facts.append(["processor", "\(Self.fixed(figures[.cpu] ?? 0)) s"])
        if let opens = figures[.passthroughOpens], opens > 0 {
            facts.append([
                "not seen",
                "reads of \(Self.count(opens)) opens: the kernel reads those files by itself",
            ])
        }
        let title =
            "\(figures.mountPoint), \(figures.source), for \(readableSpan(seconds: Int64(seconds)))"
        return [title] + columns(facts.map { ["  " + $0[0], $0[1]] }) + latencyLines
    }

    private var readsText: String {
        let (atOnce, waited) = (figures[.readAtOnce].count, figures[.readAfterWait].count)
        let bytes = figures[.readBytes] ?? 0
        let sums = "\(atOnce + waited), \(size(bytes)), \(rate(bytes, size))"
        guard let part = figures.hitRatio else { return sums }
        return sums + "; \(Self.percent(part)) from here, \(waited) waited for the Hub"
    }

    private var aheadText: String {
        guard let fetched = figures[.aheadBytes], fetched > 0 else {
            return "nothing fetched ahead"
        }
        let used = figures.aheadAccuracy.map {
            "\(Self.percent($0)) of it read (\(size(figures[.aheadReadBytes] ?? 0)))"
        }
        return "\(size(fetched)) fetched ahead, " + (used ?? "and left to the kernel")
    }

    private var hubText: String {
        let bytes = figures.sum(.hubReceivedBytes)
        let parts = ["api", "resolve", "cdn"].map {
            "\($0) \(Self.count(figures[.hubRequests, $0] ?? 0))"
        }
        return "\(size(bytes)), \(rate(bytes, size)); \(parts.joined(separator: ", ")); "
            + "\(Self.count(figures[.hubRequestsUnderWay] ?? 0)) under way, "
            + "\(Self.count(figures[.hubRetries] ?? 0)) sent again"
    }

    private var quotaText: String {
        let parts = ["api", "resolvers"].compactMap { quota -> String? in
            guard let left = figures[.hubRequestsLeft, quota] else { return nil }
            let reset = figures[.hubQuotaReset, quota] ?? 0
            return "\(quota) \(Self.count(left)) for \(readableSpan(seconds: Int64(reset)))"
        }
        return parts.isEmpty ? "the Hub has not said" : parts.joined(separator: ", ")
    }

    private var memoryText: String {
        let budgets = ["small_contents", "unkept_blocks"].map { name in
            let (used, limit) = (figures[.budget, name], figures[.budgetLimit, name])
            return "\(name.replacing("_", with: " ")) \(size(used ?? 0)) of \(size(limit ?? 0))"
        }
        return ([size(figures[.residentMemory] ?? 0)] + budgets).joined(separator: ", ")
    }

    private var latencyLines: [String] {
        let rows = RequestTimes.Kind.allCases.compactMap { kind -> [String]? in
            let durations = figures[kind]
            guard durations.count > 0 else { return nil }
            let parts: [Double] = [0.5, 0.9, 0.99]
            let shown = parts.map { Self.duration(durations.nanoseconds(atPart: $0)) }
            let name = kind.label.replacing("_", with: " ")
            var row: [String] = ["  " + name, "\(durations.count)"]
            row += shown
            row.append(Self.duration(durations.maxNanoseconds))
            return row
        }
        guard !rows.isEmpty else { return [] }
        let head = ["  answered in", "count", "p50", "p90", "p99", "max"]
        return [""] + columns([head] + rows, rightAligned: [1, 2, 3, 4, 5])
    }

    private func size(_ bytes: Double) -> String { readableSize(UInt64(max(bytes, 0))) }

    private func rate(_ value: Double, _ text: (Double) -> String) -> String {
        text(seconds > 0 ? value / seconds : 0) + "/s"
    }
}

/// Numbers for people.
extension StatsText {
    static func count(_ value: Double) -> String { "\(Int64(value.rounded()))" }

    /// With one digit behind the point.
    static func fixed(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    static func percent(_ part: Double) -> String { fixed(part * 100) + " %" }

    /// `850 ns`, `4.2 µs`, `12.0 ms`, `3.4 s`.
    static func duration(_ nanoseconds: UInt64?) -> String {
        guard let nanoseconds else { return "-" }
        let value = Double(nanoseconds)
        switch nanoseconds {
        case ..<1000: return "\(nanoseconds) ns"
        case ..<1_000_000: return fixed(value / 1e3) + " µs"
        case ..<1_000_000_000: return fixed(value / 1e6) + " ms"
        default: return fixed(value / 1e9) + " s"
        }
    }
}

/// What follows from the figures.
extension MountFigures {
    /// The part of the reads that asked hubfs which was answered at once; nil without reads.
    var hitRatio: Double? {
        let (atOnce, waited) = (self[.readAtOnce].count, self[.readAfterWait].count)
        return atOnce + waited > 0 ? Double(atOnce) / Double(atOnce + waited) : nil
    }

    /// The part of the bytes fetched ahead that was read; nil where none were, or the kernel reads them all
    /// by itself.
    var aheadAccuracy: Double? {
        let fetched = (self[.aheadBytes] ?? 0) - (self[.aheadUnseenBytes] ?? 0)
        return fetched > 0 ? min((self[.aheadReadBytes] ?? 0) / fetched, 1) : nil
    }
}
