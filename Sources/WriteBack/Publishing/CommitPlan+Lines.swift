import FoundationEssentials
import HubClient

// A plan can have tens of thousands of paths. Each is one line of text in it, its fields separated by
// spaces, instead of an object with names for them: an encoder holds all of it in memory at once.

/// What is one line of a plan.
protocol PlanLine: Codable {
    var line: String { get }
    init?(line: String)
}

extension PlanLine {
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(line)
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(line: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "no line of a plan")
        }
        self = value
    }

    /// The first fields of a line, and all of the rest: a path can have spaces in it.
    fileprivate static func fields(_ line: String, _ count: Int) -> [String]? {
        // By bytes: a space and a mark that combines with it are one letter to Swift.
        let fields = Array(line.utf8).split(
            separator: UInt8(ascii: " "), maxSplits: count - 1, omittingEmptySubsequences: false)
        guard fields.count == count else { return nil }
        return fields.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension CommitPlan.Put: PlanLine {
    /// `CONTENT PATH`, the content as 40 digits for a git blob, 64 for an LFS object; with a date `CONTENT@DATE PATH`.
    var line: String {
        "\(content.hex)\(modifiedNanoseconds.map { "@\($0)" } ?? "") \(path)"
    }

    init?(line: String) {
        guard let fields = Self.fields(line, 2) else { return nil }
        let parts = fields[0].split(separator: "@", omittingEmptySubsequences: false)
        guard let content = ContentID(hex: String(parts[0])), parts.count <= 2 else { return nil }
        self.init(path: fields[1], content: content)
        guard parts.count == 2 else { return }
        guard let date = Int64(parts[1]) else { return nil }
        modifiedNanoseconds = date
    }
}

extension Settlement.File: PlanLine {
    /// `NUMBER SIZE CONTENT PATH`
    var line: String { "\(number) \(size) \(content.hex) \(path)" }

    init?(line: String) {
        guard let fields = Self.fields(line, 4), let number = UInt64(fields[0]),
            let size = UInt64(fields[1]), let content = ContentID(hex: fields[2])
        else { return nil }
        self.init(number: number, path: fields[3], content: content, size: size)
    }
}

extension Settlement.Child: PlanLine {
    /// `NUMBER NAME`
    var line: String { "\(number) \(name.planText)" }

    init?(line: String) {
        guard let fields = Self.fields(line, 2), let number = UInt64(fields[0]),
            let name = EntryName(planText: fields[1])
        else { return nil }
        self.init(number: number, name: name)
    }
}

extension Settlement.Name: PlanLine {
    var line: String { name.planText }

    init?(line: String) {
        guard let name = EntryName(planText: line) else { return nil }
        self.init(name: name)
    }
}

extension BaseDirectory: PlanLine {
    /// `COMMIT PATH`
    var line: String { "\(commit.hex) \(path)" }

    init?(line: String) {
        guard let fields = Self.fields(line, 2), let commit = CommitOID(hex: fields[0]) else {
            return nil
        }
        self.init(commit: commit, path: fields[1])
    }
}

extension EntryName {
    /// In base64: a name need not be UTF-8.
    fileprivate var planText: String { Data(bytes).base64EncodedString() }

    fileprivate init?(planText text: String) {
        guard let bytes = Data(base64Encoded: text) else { return nil }
        self.init(Array(bytes))
    }
}
