/// Reads the Hub's dates, `2026-01-02T03:04:05.000Z`: always UTC, with or without a fraction.
///
/// Source: RFC 3339, without offsets, which the Hub does not send.
///
/// - Returns: nanoseconds since 1970, nil when the text is no such date.
func nanosecondsSince1970(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z"),
        bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
        bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"),
        bytes[16] == UInt8(ascii: ":")
    else { return nil }
    let fields = [(0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19)].map {
        decimal(bytes[$0.0..<$0.1])
    }
    guard let year = fields[0], let month = fields[1], let day = fields[2], let hour = fields[3],
        let minute = fields[4], let second = fields[5], (1970...2200).contains(year),
        (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    guard let fraction = fractionNanoseconds(bytes[19..<bytes.count - 1]) else { return nil }
    let days = daysSince1970(year: year, month: month, day: day)
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000 + fraction
}

/// Nanoseconds of `.123` or of nothing; nil for anything else.
private func fractionNanoseconds(_ text: ArraySlice<UInt8>) -> Int64? {
    guard let point = text.first else { return 0 }
    let digits = text.dropFirst()
    guard point == UInt8(ascii: "."), (1...9).contains(digits.count), var value = decimal(digits)
    else { return nil }
    for _ in digits.count..<9 { value *= 10 }
    return value
}

private func decimal(_ digits: ArraySlice<UInt8>) -> Int64? {
    var value: Int64 = 0
    for digit in digits {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
        value = value * 10 + Int64(digit - UInt8(ascii: "0"))
    }
    return value
}

/// Days of the proleptic Gregorian calendar. Years are counted from March, so that the leap day
/// is the last day of a year and months have lengths that repeat.
private func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
    let marchYear = month <= 2 ? year - 1 : year
    let marchMonth = (month + 9) % 12
    let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
    let leapDays = marchYear / 4 - marchYear / 100 + marchYear / 400
    // 719 468 days lie between 0000-03-01 and 1970-01-01.
    return marchYear * 365 + leapDays + dayOfYear - 719_468
}
