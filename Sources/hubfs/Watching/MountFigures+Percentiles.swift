import FuseBridge
import HubClient
import Platform

extension MountFigures {
    /// As `json`, with what follows from the figures, and percentiles in place of buckets.
    var jsonWithRatios: JSON {
        guard var members = json.members else { return .null }
        members["durations"] = nil
        members["latency"] = .object(
            RequestTimes.Kind.allCases.reduce(into: [:]) {
                $0[$1.label] = Self.percentiles(self[$1])
            })
        members["hitRatio"] = hitRatio.map { .number($0) } ?? .null
        members["readaheadAccuracy"] = aheadAccuracy.map { .number($0) } ?? .null
        return .object(members)
    }

    /// Seconds; null where nothing was counted.
    private static func percentiles(_ durations: Durations) -> JSON {
        func seconds(_ nanoseconds: UInt64?) -> JSON {
            nanoseconds.map { .number(Double($0) / 1e9) } ?? .null
        }
        let isAny = durations.count > 0
        return .object([
            "count": .count(durations.count),
            "sumSeconds": .number(Double(durations.sumNanoseconds) / 1e9),
            "p50": seconds(durations.nanoseconds(atPart: 0.5)),
            "p90": seconds(durations.nanoseconds(atPart: 0.9)),
            "p99": seconds(durations.nanoseconds(atPart: 0.99)),
            "max": seconds(isAny ? durations.maxNanoseconds : nil),
        ])
    }
}
