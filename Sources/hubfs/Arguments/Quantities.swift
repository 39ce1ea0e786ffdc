public import ArgumentParser
import Glibc
public import Logging

/// A size on the command line: `10G`, `512MiB`, `1048576`. Units are powers of 1024.
struct ByteSize: ExpressibleByArgument {
    let bytes: UInt64

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits), number >= 0 else { return nil }
        let factor: Double
        switch argument.dropFirst(digits.count).uppercased() {
        case "", "B": factor = 1
        case "K", "KB", "KIB": factor = 0x1p10
        case "M", "MB", "MIB": factor = 0x1p20
        case "G", "GB", "GIB": factor = 0x1p30
        case "T", "TB", "TIB": factor = 0x1p40
        default: return nil
        }
        guard number * factor < 0x1p62 else { return nil }
        bytes = UInt64(number * factor)
    }
}

/// A time on the command line: `30s`, `5m`, `1h`, or seconds as `2.5`; more than zero, at most an hour.
struct Seconds: ExpressibleByArgument, Hashable, Sendable {
    let value: Double

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit: Double
        switch argument.dropFirst(digits.count) {
        case "", "s": unit = 1
        case "m": unit = 60
        case "h": unit = 3600
        default: return nil
        }
        guard let number = Double(digits), number > 0, number * unit <= 3600 else { return nil }
        value = number * unit
    }

    /// Reads `interval:TIME`.
    init?(interval argument: String) {
        let prefix = "interval:"
        guard argument.hasPrefix(prefix) else { return nil }
        self.init(argument: String(argument.dropFirst(prefix.count)))
    }
}

/// A span of time on the command line: `30d`, `12h`, `90m`, `45s`, or seconds.
struct TimeSpan: ExpressibleByArgument {
    let seconds: Int64

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number < 1 << 32 else { return nil }
        switch argument.dropFirst(digits.count) {
        case "", "s": seconds = number
        case "m": seconds = number * 60
        case "h": seconds = number * 3600
        case "d": seconds = number * 86400
        case "w": seconds = number * 604_800
        default: return nil
        }
    }
}

/// Permission bits in octal: `022`.
struct PermissionMask: ExpressibleByArgument {
    let bits: mode_t

    init?(argument: String) {
        guard let bits = mode_t(argument, radix: 8), bits <= 0o777 else { return nil }
        self.bits = bits
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
