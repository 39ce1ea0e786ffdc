import ArgumentParser
import Platform
import Settings

/// The options of all commands, asked for no further than needed: to ask the parser for everything takes
/// ten milliseconds.
final class KnownOptions {
    /// Whether an option of a name is a flag: `commit` is both, of different commands.
    private var kinds: [String: Set<Bool>] = [:]
    private var others: ArraySlice<(words: [String], type: any ParsableCommand.Type)>

    /// - Parameter table: The options of the command at hand.
    init(_ table: OptionTable) {
        others = OptionTable.commands()[...]
        note(table)
    }

    /// Whether any command has an option of this name and kind.
    func contains(_ name: String, isFlag: Bool) -> Bool {
        repeat {
            if kinds[name]?.contains(isFlag) == true { return true }
        } while noteNext()
        return false
    }

    /// Refuses keys that no command has, and sections of what is no repo.
    ///
    /// - Returns: the repos of the sections, by their names.
    /// - Throws: `Failure` with code `usage`.
    func check(_ files: [ConfigFile]) throws(Failure) -> [String: RepoSection] {
        var sections: [String: RepoSection] = [:]
        for file in files {
            for section in file.sections {
                sections[section.repo] = try RepoSection(section, of: file)
            }
            for statement in file.allStatements where !contains(statement.key) {
                let hint = suggestion(for: statement.key, among: kinds.keys)
                throw Failure(
                    .usage,
                    "\(file.path):\(statement.line): no command has an option '\(statement.key)'"
                        + (hint.map { "; did you mean '\($0)'?" }
                            ?? "; 'hubfs config show' lists them"))
            }
        }
        return sections
    }

    private func contains(_ name: String) -> Bool {
        repeat {
            if kinds[name] != nil { return true }
        } while noteNext()
        return false
    }

    /// - Returns: false when all commands are known.
    private func noteNext() -> Bool {
        guard let next = others.popFirst() else { return false }
        note(OptionTable(of: next.type))
        return true
    }

    private func note(_ table: OptionTable) {
        for shape in table.shapes { kinds[shape.name, default: []].insert(shape.isFlag) }
    }
}
