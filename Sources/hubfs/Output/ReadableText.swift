import Glibc

/// A size for people: `712 B`, `1.4 MiB`.
func readableSize(_ bytes: UInt64) -> String {
    var value = Double(bytes)
    var unit = "B"
    for next in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
        value /= 1024
        unit = next
    }
    if unit == "B" { return "\(bytes) B" }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) \(unit)"
}

/// A time span for people: `4 s`, `3 min`, `2 h`, `5 d`.
func readableSpan(seconds: Int64) -> String {
    switch max(seconds, 0) {
    case let seconds where seconds < 120: "\(seconds) s"
    case let seconds where seconds < 7200: "\(seconds / 60) min"
    case let seconds where seconds < 172_800: "\(seconds / 3600) h"
    case let seconds: "\(seconds / 86400) d"
    }
}

/// A point in time as `2026-01-02T03:04:05Z`.
func utcTime(seconds: Int64) -> String {
    var time = time_t(seconds)
    var fields = tm()
    gmtime_r(&time, &fields)
    let date = "\(fields.tm_year + 1900)-\(padded(fields.tm_mon + 1))-\(padded(fields.tm_mday))"
    let clock = "\(padded(fields.tm_hour)):\(padded(fields.tm_min)):\(padded(fields.tm_sec))"
    return "\(date)T\(clock)Z"
}

/// A number with at least `width` digits.
func padded(_ number: some BinaryInteger, width: Int = 2) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

/// Rows as columns two blanks apart, each as wide as its widest cell.
///
/// - Parameter rightAligned: Columns of numbers.
func columns(_ rows: [[String]], rightAligned: Set<Int> = []) -> [String] {
    var widths: [Int] = []
    for row in rows {
        for (column, cell) in row.enumerated() {
            if column == widths.count { widths.append(0) }
            widths[column] = max(widths[column], cell.count)
        }
    }
    return rows.map { row in
        let cells = row.enumerated().map { column, cell in
            let space = String(repeating: " ", count: widths[column] - cell.count)
            if rightAligned.contains(column) { return space + cell }
            return column == row.count - 1 ? cell : cell + space
        }
        return cells.joined(separator: "  ")
    }
}

/// Text that came from elsewhere, with control characters made visible, so that it cannot steer the
/// terminal it is shown on.
func printable(_ text: String) -> String {
    String(
        String.UnicodeScalarView(
            text.unicodeScalars.map { scalar in
                scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) ? "\u{fffd}" : scalar
            }))
}
