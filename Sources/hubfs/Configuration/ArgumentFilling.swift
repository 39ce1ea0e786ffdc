import ArgumentParser
import Glibc
import HubClient
import Settings

/// Fills a command line with what the environment and the configuration files say.
///
/// A value that no parser takes is an error, wherever it is said. What contradicts a stronger place gives
/// way instead: `read-only = true` in a file does not keep anybody from `-w`, and `names-ttl`, which is for
/// the whole Hub, holds where that is mounted. The parser's validation decides what contradicts what, so
/// values are checked by the types of options, and `validate()` is about options together.
struct ArgumentFilling {
    /// The words that call the command.
    private let name: [String]
    private let words: CommandWords
    /// By rank, without what the command line says.
    private let ranks: [[Setting]]

    private typealias Parsed = Result<any ParsableCommand, any Error>

    /// - Parameter section: Whose section holds; nil takes the repo that the command line names.
    /// - Throws: `Failure` with code `usage`.
    init(
        name: [String], _ words: CommandWords, _ table: OptionTable, _ files: [ConfigFile],
        _ environment: Environment, section: RepoSection?
    ) throws(Failure) {
        self.name = name
        self.words = words
        let countMax = table.takesRepos ? (table.takesSeveral ? Int.max : 1) : 0
        let arguments = words.arguments.prefix(countMax)
        let endpoint = HubEnvironment(variables: environment.variables).endpoint
        let section = section ?? RepoSection(of: arguments, endpoint: endpoint)
        let all = try Self.ranks(table, files, environment, section)
        ranks = all.map { $0.filter { !words.said.contains($0.option.name) } }
        Self.dropOlderVariables(words, all)
    }

    /// What the environment and the files say of the options of a command, the strongest first.
    ///
    /// - Throws: `Failure` with code `usage` for what no option understands.
    static func ranks(
        _ table: OptionTable, _ files: [ConfigFile], _ environment: Environment,
        _ section: RepoSection?
    ) throws(Failure) -> [[Setting]] {
        let known = KnownOptions(table)
        let sections = try known.check(files)
        do throws(SettingsComplaint) {
            return try SettingsStack(variables: environment.variables, files: files).ranks(
                of: table.shapes, isRepo: { section != nil && sections[$0] == section },
                others: { known.contains($0, isFlag: $1) })
        } catch {
            throw Failure(.usage, error.description)
        }
    }

    /// Parses the command line, filled.
    ///
    /// - Throws: What the parser throws, and `Failure` with code `usage` that says where a setting is.
    func command() throws -> any ParsableCommand {
        let settings = ranks.flatMap(\.self)
        switch parsed(settings) {
        case .success(let command): return command
        case .failure(let error):
            if settings.isEmpty || HubfsCommand.exitCode(for: error).isSuccess { throw error }
            try checkValues(of: settings)
            return try commandWithoutContradictions(error)
        }
    }

    private func parsed(_ settings: [Setting]) -> Parsed {
        Parsed { try HubfsCommand.parseAsRoot(name + words.filled(with: settings)) }
    }

    /// - Throws: `Failure` when the type of an option does not take its value.
    private func checkValues(of settings: [Setting]) throws(Failure) {
        guard complaintOfValue(settings) != nil else { return }
        for setting in settings {
            if let message = complaintOfValue([setting]) {
                throw Failure(.usage, "\(setting.origin): \(message)")
            }
        }
    }

    /// What the parser says of the values, whatever else there is to say.
    private func complaintOfValue(_ settings: [Setting]) -> String? {
        do {
            _ = try HubfsCommand.parseAsRoot(name + settings.flatMap(\.words))
            return nil
        } catch {
            let message = HubfsCommand.message(for: error)
            // Values come first. That arguments are missing, or options contradict, is said after them.
            return message.hasPrefix("The value '") ? message : nil
        }
    }

    /// Takes of the settings what goes with the command line and with what is stronger.
    ///
    /// - Parameter complaint: What the parser says of all of them.
    private func commandWithoutContradictions(
        _ complaint: any Error
    ) throws -> any ParsableCommand {
        var command: any ParsableCommand
        switch parsed([]) {
        case .success(let bare): command = bare
        case .failure(let error):
            // The command line needs no help to be wrong.
            let isOwnFault =
                HubfsCommand.message(for: error) == HubfsCommand.message(for: complaint)
            throw isOwnFault ? error : failure(complaint)
        }
        var kept: [Setting] = []
        for rank in ranks {
            let stronger = kept
            var left = rank
            var leftCount: Int
            // Some go only together with others: create-branch with branch.
            repeat {
                leftCount = left.count
                left.removeAll { setting in
                    guard case .success(let filled) = parsed(kept + [setting]) else { return false }
                    kept.append(setting)
                    command = filled
                    return true
                }
            } while !left.isEmpty && left.count < leftCount
            if kept.count > stronger.count { try checkRank(left, stronger: stronger, kept: kept) }
        }
        return command
    }

    /// Of two of one place that exclude each other neither is the stronger.
    ///
    /// - Throws: `Failure` when one of those that are left would have been taken without its like.
    private func checkRank(
        _ left: [Setting], stronger: [Setting], kept: [Setting]
    ) throws(Failure) {
        for setting in left {
            guard case .success = parsed(stronger + [setting]),
                case .failure(let error) = parsed(kept + [setting])
            else { continue }
            throw failure(error, about: [setting])
        }
    }

    /// What the parser says, and where that is from which it is about.
    private func failure(_ error: any Error, about settings: [Setting] = []) -> Failure {
        let message = HubfsCommand.message(for: error)
        let named = ranks.flatMap(\.self).filter { message.contains("--" + $0.option.name) }
        let origins = (settings.isEmpty ? named : settings)
            .map { "--\($0.option.name) is from \($0.origin)" }
        return Failure(.usage, ([message] + origins).joined(separator: "\n"))
    }

    /// Takes back an older variable with the flag that says the same: `--offline=false` is stronger than
    /// `HF_HUB_OFFLINE=1`.
    private static func dropOlderVariables(_ words: CommandWords, _ ranks: [[Setting]]) {
        let denied = ranks.flatMap(\.self).filter {
            $0.meaning == .flag(false) && !words.said.contains($0.option.name)
        }
        for name in words.deniedFlags.union(denied.map(\.option.name)) {
            for variable in SettingsStack.olderVariables[name] ?? [] { unsetenv(variable) }
        }
    }
}
