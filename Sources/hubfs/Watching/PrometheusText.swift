import FuseBridge
import HubClient
import Platform

/// A mount's figures in the text that Prometheus scrapes, format 0.0.4.
///
/// Source: prometheus.io/docs/instrumenting/exposition_formats.
enum PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// How long requests took, a histogram for each kind.
    static let durationName = "hubfs_request_duration_seconds"

    /// Buckets end at powers of two of nanoseconds, where those of `DurationBuckets` end too, so that no
    /// count is a guess: from 4 µs to 34 s.
    static let octaves = 12...35

    static func name(of family: FigureFamily) -> String { "hubfs_" + family.rawValue }

    static func text(_ figures: MountFigures) -> String {
        var text = ""
        for family in FigureFamily.allCases {
            guard let values = figures.values[family], !values.isEmpty else { continue }
            text += head(
                name(of: family), help: family.help, type: family.isCounter ? "counter" : "gauge")
            for (value, number) in values.sorted(by: { $0.key < $1.key }) {
                let labels =
                    family == .mountInfo
                    ? infoLabels(figures) : family.label.map { [($0, value)] } ?? []
                text += line(name(of: family), labels, number)
            }
        }
        return text + durations(figures)
    }

    private static func durations(_ figures: MountFigures) -> String {
        var text = head(
            durationName,
            help: "How long the kernel waited for answers, by what it asked for.",
            type: "histogram")
        for kind in RequestTimes.Kind.allCases {
            let (durations, label) = (figures[kind], ("kind", kind.label))
            for octave in octaves {
                let end = Double(UInt64(1) << UInt64(octave)) / 1e9
                text += line(
                    durationName + "_bucket", [label, ("le", "\(end)")],
                    Double(durations.count(belowOctave: octave)))
            }
            text += line(
                durationName + "_bucket", [label, ("le", "+Inf")], Double(durations.count))
            text += line(
                durationName + "_sum", [label], Double(durations.sumNanoseconds) / 1e9)
            text += line(durationName + "_count", [label], Double(durations.count))
        }
        return text
    }

    private static func infoLabels(_ figures: MountFigures) -> [(String, String)] {
        [
            ("mount_point", figures.mountPoint), ("source", figures.source),
            ("commit", figures.commit), ("version", hubfsVersion),
        ]
    }

    private static func head(_ name: String, help: String, type: String) -> String {
        "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private static func line(
        _ name: String, _ labels: [(String, String)], _ value: Double
    ) -> String {
        let list = labels.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",")
        let number = Int64(exactly: value).map { "\($0)" } ?? "\(value)"
        return name + (list.isEmpty ? "" : "{\(list)}") + " \(number)\n"
    }

    /// A label's value may have any character, these three escaped.
    static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
    }
}
