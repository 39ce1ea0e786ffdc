/// A configuration file, read: which option is said where.
///
/// The format is the part of TOML 1.0 that options need: `key = value`, where a value is a string of one
/// line, a decimal number, a boolean or an array of strings and numbers; tables `[repo."hf://…"]`;
/// comments. A file that is accepted means the same to every reader of TOML; the rest of TOML is
/// refused (docs/decisions/0028).
package struct ConfigFile: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
        case bool(Bool)
        /// A string, or a number as it is written.
        case text(String)
        case list([String])
    }

    package struct Statement: Hashable, Sendable {
        package let key: String
        package let value: Value
        package let line: Int
    }

    /// What holds for one repo.
    package struct Section: Hashable, Sendable {
        /// The repo as it is written.
        package let repo: String
        package let line: Int
        package internal(set) var statements: [Statement] = []
    }

    package let path: String
    /// What holds for every repo.
    package internal(set) var statements: [Statement] = []
    package internal(set) var sections: [Section] = []

    /// - Parameters:
    ///   - bytes: All of the file.
    ///   - path: Its name in complaints.
    /// - Throws: `SettingsComplaint` with the line that is not understood.
    package init(_ bytes: [UInt8], path: String) throws(SettingsComplaint) {
        self.path = path
        var reader = ConfigReader(bytes, path: path)
        try reader.read(into: &self)
    }

    /// All statements, whatever they hold for.
    package var allStatements: [Statement] { statements + sections.flatMap(\.statements) }

    /// Takes a statement behind the last header that was read.
    ///
    /// - Throws: `SettingsComplaint` for a key that is there already.
    mutating func add(_ statement: Statement) throws(SettingsComplaint) {
        let before = sections.last?.statements ?? statements
        if let first = before.first(where: { $0.key == statement.key }) {
            throw SettingsComplaint(
                .file(path, line: statement.line),
                "'\(statement.key)' is said before, in line \(first.line)")
        }
        if sections.isEmpty {
            statements.append(statement)
        } else {
            sections[sections.count - 1].statements.append(statement)
        }
    }

    /// - Throws: `SettingsComplaint` for a header that is there already.
    mutating func add(_ section: Section) throws(SettingsComplaint) {
        if let first = sections.first(where: { $0.repo == section.repo }) {
            throw SettingsComplaint(
                .file(path, line: section.line),
                "the table of '\(section.repo)' begins before, in line \(first.line)")
        }
        sections.append(section)
    }
}
