import ArgumentParser
import HubClient
import Settings

/// What the parser knows of a command: nothing is listed twice, so an option that a command gets has its
/// variable and its key.
struct OptionTable {
    struct Entry {
        let shape: OptionShape
        /// What holds when nobody says anything, if the parser knows it.
        let defaultValue: String?
        /// The first line of its help.
        let summary: String
    }

    let entries: [Entry]
    /// Whether what it works on are repos, and not mounts or files.
    let takesRepos: Bool
    /// Whether it works on more than one.
    let takesSeveral: Bool

    var shapes: [OptionShape] { entries.map(\.shape) }

    /// Options that ask about the program instead of telling it something, and the one that names the
    /// file of options.
    private static let apart: Set<String> = ["help", "version", "config"]
    /// What commands call an argument that is a repo.
    private static let repoNames: Set<String> = ["source", "sources", "uri", "uris"]

    /// Asks the parser. Takes about a millisecond.
    init(of command: any ParsableArguments.Type) {
        let arguments = JSON(Array(command._dumpHelp().utf8))?["command"]?["arguments"]?.array ?? []
        entries = arguments.compactMap(Self.entry)
        let positional = arguments.filter { $0["kind"]?.string == "positional" }
        let first = positional.first
        takesRepos = first?["valueName"]?.string.map(Self.repoNames.contains) ?? false
        takesSeveral = first?["isRepeating"]?.bool ?? false
    }

    private static func entry(_ argument: JSON) -> Entry? {
        guard let name = argument["preferredName"]?["name"]?.string, !apart.contains(name) else {
            return nil
        }
        let kind: OptionShape.Kind
        switch argument["kind"]?.string {
        case "flag": kind = .flag
        case "option": kind = .value(repeats: argument["isRepeating"]?.bool ?? false)
        default: return nil
        }
        let spellings = argument["names"]?.array?.compactMap { $0["name"]?.string } ?? []
        return Entry(
            shape: OptionShape(name: name, spellings: Set(spellings), kind: kind),
            defaultValue: argument["defaultValue"]?.string,
            summary: argument["abstract"]?.string ?? "")
    }

    /// The commands that do something, in the order of the help, with the words that call them.
    static func commands(
        below parent: any ParsableCommand.Type = HubfsCommand.self, words: [String] = []
    ) -> [(words: [String], type: any ParsableCommand.Type)] {
        parent.configuration.subcommands.flatMap {
            child -> [(words: [String], type: any ParsableCommand.Type)] in
            let words = words + [child.configuration.commandName ?? ""]
            let children = commands(below: child, words: words)
            return children.isEmpty ? [(words, child)] : children
        }
    }
}
