/// An option of a command, as far as its words on a command line matter.
package struct OptionShape: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// Said or not said.
        case flag
        /// With a value; may be said several times if it repeats.
        case value(repeats: Bool)
    }

    /// Its long name, or its letter when it has no other. Also its key in a configuration file.
    package let name: String
    /// All its spellings without dashes: long names and letters.
    package let spellings: Set<String>
    package let kind: Kind

    package init(name: String, spellings: Set<String>, kind: Kind) {
        self.name = name
        self.spellings = spellings
        self.kind = kind
    }

    package var isFlag: Bool { kind == .flag }

    /// The option's variable: `HUBFS_READ_TIMEOUT` of `--read-timeout`.
    package var variable: String { Self.variable(of: name) }

    package static func variable(of name: String) -> String {
        "HUBFS_" + String(name.map { $0 == "-" ? "_" : $0 }).uppercased()
    }

    /// The option in words that a value of any look can be given with.
    func words(_ value: String? = nil) -> [String] {
        let isLetter = name.count == 1
        guard let value else { return [(isLetter ? "-" : "--") + name] }
        return isLetter ? ["-" + name, value] : ["--\(name)=\(value)"]
    }
}

/// Reads what says yes or no: `true`, `yes`, `on`, `1` and their opposites, in any case of letters.
///
/// - Returns: nil for anything else.
package func truth(of text: String) -> Bool? {
    switch text.lowercased() {
    case "1", "true", "yes", "on": true
    case "0", "false", "no", "off": false
    default: nil
    }
}
