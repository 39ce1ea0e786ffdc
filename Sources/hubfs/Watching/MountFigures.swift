import FuseBridge
import HubClient
import Platform

/// One reading of everything that is counted of a mount.
struct MountFigures: Sendable {
    /// By label; "" where the family has none. A family without values says nothing of this mount.
    private(set) var values: [FigureFamily: [String: Double]] = [:]
    var durations: [RequestTimes.Kind: Durations] = [:]
    var mountPoint = ""
    var source = ""
    var commit = ""
    /// When they were read, seconds on a clock that only goes forward.
    var readSeconds: Double = 0

    init() {}

    subscript(family: FigureFamily, label: String = "") -> Double? {
        get { values[family]?[label] }
        set { values[family, default: [:]][label] = newValue }
    }

    /// The sum over all labels.
    func sum(_ family: FigureFamily) -> Double {
        values[family]?.values.reduce(0, +) ?? 0
    }

    subscript(kind: RequestTimes.Kind) -> Durations { durations[kind] ?? Durations() }

    /// What was counted since an earlier reading; what can fall is as it is now.
    func since(_ earlier: MountFigures) -> MountFigures {
        var figures = self
        for (family, values) in values where family.isCounter {
            for (label, value) in values {
                figures[family, label] = value - (earlier[family, label] ?? 0)
            }
        }
        figures.durations = durations.reduce(into: [:]) { since, entry in
            since[entry.key] = entry.value.since(earlier[entry.key])
        }
        return figures
    }
}

extension RequestTimes.Kind {
    /// The value of the label `kind`.
    var label: String {
        switch self {
        case .readAtOnce: "read_at_once"
        case .readAfterWait: "read_after_wait"
        case .write: "write"
        case .sync: "sync"
        case .metadata: "metadata"
        }
    }
}

/// As a daemon sends them.
extension MountFigures {
    var json: JSON {
        .object([
            "mountPoint": .string(mountPoint), "source": .string(source),
            "commit": .string(commit), "readSeconds": .number(readSeconds),
            "figures": .object(figureMembers),
            "durations": .object(
                durations.reduce(into: [:]) { $0[$1.key.label] = $1.value.json }),
        ])
    }

    private var figureMembers: [String: JSON] {
        values.reduce(into: [:]) { members, entry in
            let (family, values) = entry
            let numbers: [String: JSON] = values.mapValues { .figure($0) }
            members[family.rawValue] = family.label == nil ? numbers[""] : .object(numbers)
        }
    }

    /// Families and labels of another version are left out.
    ///
    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let mountPoint = json["mountPoint"]?.string, let source = json["source"]?.string,
            let commit = json["commit"]?.string, let seconds = json["readSeconds"]?.figure,
            let figures = json["figures"]?.members, let durations = json["durations"]?.members
        else { return nil }
        self.mountPoint = mountPoint
        self.source = source
        self.commit = commit
        readSeconds = seconds
        for family in FigureFamily.allCases {
            guard let value = figures[family.rawValue] else { continue }
            if family.label == nil {
                self[family] = value.figure
            } else {
                for (label, value) in value.members ?? [:] { self[family, label] = value.figure }
            }
        }
        for kind in RequestTimes.Kind.allCases {
            self.durations[kind] = durations[kind.label].flatMap { Durations($0) }
        }
    }
}

extension Durations {
    fileprivate var json: JSON {
        let members: [String: JSON] = counts.reduce(into: [:]) {
            $0[String($1.key)] = .count($1.value)
        }
        return .object([
            "counts": .object(members),
            "sumNanoseconds": .count(sumNanoseconds), "maxNanoseconds": .count(maxNanoseconds),
        ])
    }

    fileprivate init?(_ json: JSON) {
        guard let counts = json["counts"]?.members,
            let sum = json["sumNanoseconds"]?.unsigned, let max = json["maxNanoseconds"]?.unsigned
        else { return nil }
        self.init()
        for (text, count) in counts {
            guard let index = Int(text), (0..<DurationBuckets.count).contains(index),
                let count = count.unsigned
            else { return nil }
            add(count, to: index)
        }
        sumNanoseconds = sum
        maxNanoseconds = max
    }
}

extension JSON {
    /// A number, without a fraction where it has none.
    static func figure(_ value: Double) -> JSON {
        Int64(exactly: value).map { .integer($0) } ?? .number(value)
    }

    /// A number of either kind.
    var figure: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }
}
