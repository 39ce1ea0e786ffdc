import HubClient
import Platform
import Settings

/// An option as `hubfs config show` shows it.
struct ShownOption {
    let name: String
    /// The commands that have it.
    private(set) var commands: [String]
    private let defaultValue: String?
    private let setting: Setting?
    private let environment: Environment

    /// The options of all commands in the order of their names. One name may stand for a flag of one
    /// command and a value of another, and is shown twice then.
    ///
    /// - Throws: `Failure` with code `usage` for what no option understands.
    static func all(
        _ files: [ConfigFile], _ environment: Environment, _ section: RepoSection?
    ) throws(Failure) -> [ShownOption] {
        var options: [OptionShape.Kind: [String: ShownOption]] = [:]
        for (words, type) in OptionTable.commands() {
            let table = OptionTable(of: type)
            let command = words.joined(separator: " ")
            let settings = try ArgumentFilling.ranks(table, files, environment, section)
                .flatMap(\.self)
            for entry in table.entries {
                let shape = entry.shape
                let new = ShownOption(
                    name: shape.name, commands: [], defaultValue: entry.defaultValue,
                    setting: settings.first { $0.option == shape }, environment: environment)
                options[shape.kind, default: [:]][shape.name, default: new].commands
                    .append(command)
            }
        }
        return options.values.flatMap(\.values).sorted {
            ($0.name, $0.commands[0]) < ($1.name, $1.commands[0])
        }
    }

    /// `read-timeout = "60"  # HUBFS_READ_TIMEOUT`
    func line(withOrigin showsOrigin: Bool) -> String {
        guard let value else {
            let known = defaultValue.map { " = " + JSON.string($0).line } ?? ""
            return "# " + name + known + (showsOrigin ? "  # default" : "")
        }
        return "\(name) = \(value.line)" + (showsOrigin ? "  # \(origin ?? "")" : "")
    }

    var json: JSON {
        .object([
            "option": .string(name), "variable": .string(OptionShape.variable(of: name)),
            "value": value ?? .null, "origin": .optional(origin),
            "default": .optional(defaultValue),
            "commands": .array(commands.map { .string($0) }),
        ])
    }

    private var origin: String? { setting.map { printable($0.origin.description) } }

    /// nil when nobody sets it.
    private var value: JSON? {
        guard let setting else { return nil }
        switch setting.meaning {
        case .flag(let isSet): return .bool(isSet)
        case .values(let values):
            if values.count == 1, setting.option.kind == .value(repeats: false) {
                return .string(Self.shown(values[0]))
            }
            return values.isEmpty ? .string("") : .array(values.map { .string(Self.shown($0)) })
        case .elsewhere: return elsewhere(setting.origin)
        }
    }

    /// What an older variable says, unless it is a token.
    private func elsewhere(_ origin: SettingOrigin) -> JSON? {
        guard case .variable(let name) = origin, let text = environment[name] else { return nil }
        switch name {
        case "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN": return .string("(a token)")
        case _ where ["no-xet", "offline"].contains(self.name):
            return .bool(truth(of: text) ?? false)
        default: return .string(Self.shown(text))
        }
    }

    /// A value without the password of an address in it, and without those characters that steer terminals
    /// and stay as they are in quotes.
    private static func shown(_ text: String) -> String {
        let text = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { (0x7f...0x9f).contains($0.value) ? "\u{fffd}" : $0 }))
        guard let scheme = text.firstRange(of: "://") else { return text }
        let authority = text[scheme.upperBound...].prefix { $0 != "/" }
        guard let at = authority.lastIndex(of: "@") else { return text }
        return String(text[..<scheme.upperBound] + "…" + text[at...])
    }

    /// What is said of variables that look like those of options, and are none.
    static func strayVariables(_ environment: Environment, _ options: [ShownOption]) -> [String] {
        let known = Set(options.map { OptionShape.variable(of: $0.name) })
        let names = environment.variables.keys.filter {
            $0.hasPrefix("HUBFS_") && !known.contains($0)
        }
        return names.sorted().compactMap { name in
            guard !Invocation.ownVariables.contains(name) else { return nil }
            return suggestion(for: name, among: known).map {
                "\(printable(name)) is the variable of no option; did you mean \($0)?"
            }
        }
    }
}
