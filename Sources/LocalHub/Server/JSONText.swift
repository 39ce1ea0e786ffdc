import Foundation
import Glibc

/// JSON as the Hub writes it.
enum JSONText {
    static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return try encoder.encode(value)
    }

    /// `2026-01-02T03:04:05.000Z`
    static func date(_ date: Date) -> String {
        // To the nearest one: as a floating number a date may be a little less than what was told.
        let all = Int((date.timeIntervalSince1970 * 1000).rounded())
        let milliseconds = (all % 1000 + 1000) % 1000
        var seconds = time_t((all - milliseconds) / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let day = "\(four(parts.tm_year + 1900))-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        let time = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return "\(day)T\(time).\(String(milliseconds + 1000).dropFirst())Z"
    }

    private static func two(_ number: Int32) -> Substring {
        String(number + 100).dropFirst()
    }

    private static func four(_ number: Int32) -> Substring {
        String(number + 10_000).dropFirst()
    }
}

/// Any JSON value, for bodies whose keys are not all known.
enum JSONValue: Codable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value):
            if let whole = Int(exactly: value) {
                try container.encode(whole)
            } else {
                try container.encode(value)
            }
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
