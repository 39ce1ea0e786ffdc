/// What is wrong in a configuration file or a variable, and where.
package struct SettingsComplaint: Error, Hashable, Sendable, CustomStringConvertible {
    package let origin: SettingOrigin
    /// What is wrong and what to do, without a full stop at the end.
    package let sentence: String

    package init(_ origin: SettingOrigin, _ sentence: String) {
        self.origin = origin
        self.sentence = sentence
    }

    package var description: String { "\(origin): \(sentence)" }
}

/// Where a setting is said.
package enum SettingOrigin: Hashable, Sendable, CustomStringConvertible {
    /// A variable of the environment.
    case variable(String)
    /// A line of a file, the first being 1.
    case file(String, line: Int)

    package var description: String {
        switch self {
        case .variable(let name): name
        case .file(let path, let line): "\(path):\(line)"
        }
    }
}
