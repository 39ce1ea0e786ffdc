import ArgumentParser
import Glibc
import HubClient
import Settings

/// A command line, and what the environment and the configuration files add to it.
///
/// What is not said on the command line is put into it as the words it stands for, before the parser sees
/// it. So every option of every command can be said in all places, and means the same.
struct Invocation: Sendable {
    /// The one that is being run.
    @TaskLocal static var current = Invocation(words: [])

    /// The command line behind the program's name, without `--config`.
    private let words: [String]

    private init(words: [String]) { self.words = words }

    /// - Parameter arguments: The command line behind the program's name.
    /// - Throws: `Failure` with code `usage` for a `--config` without a file.
    init(_ arguments: [String]) throws(Failure) {
        var words = MountOption.withImpliedValues(arguments)
        if let file = try Self.takeConfigFile(from: &words) { Self.setConfigFile(file) }
        self.init(words: words)
    }

    /// Makes a file the user's configuration, for this process and those it starts.
    static func setConfigFile(_ path: String) {
        setenv(ConfigFiles.variable, absolutePath(path), 1)
    }

    /// Parses the command line and runs what it says.
    func run() throws {
        try Self.$current.withValue(self) {
            if try MountForm.isMeant(by: words[...]) {
                var form = try MountForm.parseAsRoot(words)
                try form.run()
            } else {
                var command = try command()
                try command.run()
            }
        }
    }

    /// The same command line as if it named one repo only.
    ///
    /// - Throws: What the parser throws, and `Failure` with code `usage`.
    func command(of repo: RepoID) throws -> any ParsableCommand {
        try command(section: .repo(repo))
    }

    private func command(section: RepoSection? = nil) throws -> any ParsableCommand {
        let environment = Environment()
        guard let (type, name) = Self.commandNamed(by: words), !Self.asksForHelp(words) else {
            return try HubfsCommand.parseAsRoot(words)
        }
        let files = ConfigFiles(environment)
        let rest = Array(words[name.count...])
        guard files.mayBeThere || Self.mayNeedFilling(rest, environment) else {
            return try HubfsCommand.parseAsRoot(words)
        }
        let table = OptionTable(of: type)
        if table.entries.isEmpty { return try HubfsCommand.parseAsRoot(words) }
        let filling = try ArgumentFilling(
            name: name, CommandWords(rest, options: table.shapes), table, try files.read(),
            environment, section: section)
        return try filling.command()
    }

    // MARK: - Words

    private static func takeConfigFile(from words: inout [String]) throws(Failure) -> String? {
        let option = "--config"
        let end = words.firstIndex(of: "--") ?? words.endIndex
        let isMeant = { (word: String) in word == option || word.hasPrefix(option + "=") }
        guard let index = words[..<end].lastIndex(where: isMeant) else { return nil }
        let file: String
        if words[index] == option {
            guard index + 1 < end, !words[index + 1].hasPrefix("-") else {
                throw Failure(.usage, "\(option) needs a file: \(option) FILE")
            }
            file = words.remove(at: index + 1)
        } else {
            file = String(words[index].dropFirst(option.count + 1))
        }
        words.remove(at: index)
        // One that is said twice is the last.
        _ = try takeConfigFile(from: &words)
        return file
    }

    /// The command that the words begin with, and its name there.
    private static func commandNamed(
        by words: [String]
    ) -> (any ParsableCommand.Type, name: [String])? {
        var type: any ParsableCommand.Type = HubfsCommand.self
        var name: [String] = []
        while let word = words.dropFirst(name.count).first,
            let child = type.configuration.subcommands.first(where: { $0.answers(to: word) })
        {
            type = child
            name.append(word)
        }
        return type.configuration.subcommands.isEmpty ? (type, name) : nil
    }

    private static func asksForHelp(_ words: [String]) -> Bool {
        let asking: Set<String> = ["-h", "--help", "--version", "--experimental-dump-help"]
        return words.prefix { $0 != "--" }.contains(where: asking.contains)
    }

    /// Variables of hubfs that are those of no option.
    static let ownVariables: Set<String> = [
        "HUBFS_CACHE", "HUBFS_CRASH_AT", "HUBFS_WAIT_FACTOR", ConfigFiles.variable,
        ControlFolder.runVariable,
    ]

    /// Whether anything is there that the parser alone would not understand. It is not so most of the time,
    /// and then nothing is asked of the parser but to parse.
    private static func mayNeedFilling(_ words: [String], _ environment: Environment) -> Bool {
        environment.variables.keys.contains {
            $0.hasPrefix("HUBFS_") && !ownVariables.contains($0)
        }
            || words.prefix { $0 != "--" }.contains { word in
                word.hasPrefix("--no-") || word.hasPrefix("-") && word.contains("=")
            }
    }
}

extension ParsableCommand {
    fileprivate static func answers(to word: String) -> Bool {
        configuration.commandName == word || configuration.aliases.contains(word)
    }
}
