/// All that the environment and the configuration files say, by rank.
///
/// From the strongest: the environment; the user's file, there first the repo's section; the system's
/// file in the same way. The command line, above them, is `CommandWords`.
package struct SettingsStack: Sendable {
    /// Who else has an option of this name, for a value that does not fit.
    package typealias KindCheck = (_ name: String, _ isFlag: Bool) -> Bool

    /// Variables that are not hubfs's own, or older than the rule, and say what an option says. They belong
    /// to the environment, and go before files.
    package static let olderVariables = [
        "endpoint": ["HF_ENDPOINT"],
        "token-file": ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"],
        "no-xet": ["HF_HUB_DISABLE_XET"],
        "offline": ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"],
        "cache-dir": ["HUBFS_CACHE"],
    ]

    private let variables: [String: String]
    /// The strongest first.
    private let files: [ConfigFile]
    /// The user's home, which `~` in a file stands for.
    private let home: String

    /// - Parameter files: The strongest first.
    package init(variables: [String: String], files: [ConfigFile]) {
        self.variables = variables
        self.files = files
        home = variables["HOME"] ?? ""
    }

    /// What is said of these options, by rank: settings of one rank are of one place.
    ///
    /// - Parameters:
    ///   - options: Those of one command.
    ///   - isRepo: Whether the section of this name holds.
    ///   - others: Whether another command has an option of that name and kind. What is said for that
    ///     one is no complaint here.
    /// - Throws: `SettingsComplaint` for a value that does not fit the kind of its option.
    package func ranks(
        of options: [OptionShape], isRepo: (String) -> Bool, others: KindCheck
    ) throws(SettingsComplaint) -> [[Setting]] {
        var ranks = [try fromEnvironment(options, others)]
        var byName: [String: OptionShape] = [:]
        for option in options { byName[option.name] = option }
        for file in files {
            let sections = file.sections.filter { isRepo($0.repo) }.map(\.statements)
            for statements in sections + [file.statements] {
                var settings: [Setting] = []
                for statement in statements {
                    guard let option = byName[statement.key] else { continue }
                    let origin = SettingOrigin.file(file.path, line: statement.line)
                    if let meaning = try meaning(of: statement.value, option, origin, others) {
                        settings.append(
                            Setting(option: option, meaning: meaning, origin: origin))
                    }
                }
                ranks.append(settings)
            }
        }
        return Self.withoutOvershadowed(ranks)
    }

    // MARK: - The environment

    private func fromEnvironment(
        _ options: [OptionShape], _ others: KindCheck
    ) throws(SettingsComplaint) -> [Setting] {
        var settings: [Setting] = []
        for option in options {
            if let setting = try own(option, others) ?? older(option) { settings.append(setting) }
        }
        return settings
    }

    private func own(
        _ option: OptionShape, _ others: KindCheck
    ) throws(SettingsComplaint) -> Setting? {
        guard let text = variables[option.variable], !text.isEmpty else { return nil }
        let origin = SettingOrigin.variable(option.variable)
        let truth = truth(of: text)
        let meaning: Setting.Meaning
        switch option.kind {
        case .flag:
            guard let truth else {
                if others(option.name, false) { return nil }
                throw SettingsComplaint(origin, "'\(text)' is neither true nor false")
            }
            meaning = .flag(truth)
        case .value(repeats: let repeats):
            if truth != nil, others(option.name, true) { return nil }
            let lines = text.split(separator: "\n").map { String($0) }
            meaning = .values(repeats ? lines : [text])
        }
        return Setting(option: option, meaning: meaning, origin: origin)
    }

    private func older(_ option: OptionShape) -> Setting? {
        let names = Self.olderVariables[option.name] ?? []
        guard let name = names.first(where: { variables[$0]?.isEmpty == false }) else { return nil }
        return Setting(option: option, meaning: .elsewhere, origin: .variable(name))
    }

    // MARK: - Files

    /// - Returns: nil for what is said for another command's option.
    private func meaning(
        of value: ConfigFile.Value, _ option: OptionShape, _ origin: SettingOrigin,
        _ others: KindCheck
    ) throws(SettingsComplaint) -> Setting.Meaning? {
        switch (option.kind, value) {
        case (.flag, .bool(let isSet)): return .flag(isSet)
        case (.flag, _):
            if others(option.name, false) { return nil }
            throw SettingsComplaint(origin, "'\(option.name)' is true or false")
        case (.value, .text("")): return .values([])
        case (.value, .text(let text)): return .values([expanded(text)])
        case (.value(repeats: true), .list(let texts)): return .values(texts.map(expanded))
        case (.value, .bool):
            if others(option.name, true) { return nil }
            throw SettingsComplaint(origin, "'\(option.name)' takes a value, and not true or false")
        case (.value, .list):
            throw SettingsComplaint(origin, "'\(option.name)' takes one value, and not a list")
        }
    }

    /// A shell is not there to do it.
    private func expanded(_ text: String) -> String {
        text.hasPrefix("~/") && !home.isEmpty ? home + text.dropFirst() : text
    }

    /// Leaves of several settings of one option the strongest.
    private static func withoutOvershadowed(_ ranks: [[Setting]]) -> [[Setting]] {
        var names: Set<String> = []
        return ranks.map { settings in
            let kept = settings.filter { !names.contains($0.option.name) }
            names.formUnion(kept.map(\.option.name))
            return kept
        }
    }
}
