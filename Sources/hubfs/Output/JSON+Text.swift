import HubClient

// What HubClient reads with `JSON`, the commands write with it.

extension JSON {
    /// The value on one line, members in the order of their names.
    var line: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let number): String(number)
        case .number(let number): number.isFinite ? String(number) : "null"
        case .string(let text): JSON.quoted(text)
        case .array(let values): "[" + values.map(\.line).joined(separator: ",") + "]"
        case .object(let members):
            "{"
                + Self.ordered(members).map { "\(JSON.quoted($0.key)):\($0.value.line)" }
                .joined(separator: ",") + "}"
        }
    }

    /// The value over several lines, indented, for scripts and people alike.
    var text: String { text(indentation: "") }

    private func text(indentation: String) -> String {
        let inner = indentation + "  "
        switch self {
        case .array(let values) where !values.isEmpty:
            let lines = values.map { inner + $0.text(indentation: inner) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(indentation)]"
        case .object(let members) where !members.isEmpty:
            let lines = Self.ordered(members).map {
                "\(inner)\(JSON.quoted($0.key)): \($0.value.text(indentation: inner))"
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indentation)}"
        default: return line
        }
    }

    private static func ordered(_ members: [String: JSON]) -> [(key: String, value: JSON)] {
        members.sorted { $0.key < $1.key }
    }

    /// A count or size; beyond `Int64` it stays at the largest number.
    static func count(_ value: UInt64) -> JSON { .integer(Int64(clamping: value)) }

    /// A text, or null.
    static func optional(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }

    /// A size, or null.
    static func optional(_ bytes: UInt64?) -> JSON { bytes.map { .count($0) } ?? .null }

    /// A count, or null.
    static func optional(_ number: Int?) -> JSON { number.map { .integer(Int64($0)) } ?? .null }

    /// A whole number of either sign.
    var integer: Int64? { if case .integer(let number) = self { number } else { nil } }

    /// The members of an object.
    var members: [String: JSON]? { if case .object(let members) = self { members } else { nil } }
}
