import ArgumentParser
import HubClient
import Settings

struct ConfigShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Print every option, its value, and where that is said.",
        discussion: """
            The lines have the form of a configuration file; options that nobody sets are behind a '#', with \
            the default if it is a fixed one. With REPO, what holds for that one. The value of a token is \
            never shown.

              hubfs config show --origin hf://org/model
            """)

    @Argument(help: "A repo that the files may have a section for; hf:// is the whole Hub.")
    var repo: String?

    @Flag(help: "Say behind each value where it is from.")
    var origin = false

    @Flag(help: "As one JSON object with the members 'files' and 'options'.")
    var json = false

    func run() throws {
        let environment = Environment()
        let files = try ConfigFiles(environment).read()
        let endpoint = HubEnvironment(variables: environment.variables).endpoint
        let section = try repo.map { text throws(Failure) in
            RepoSection(try SourceName(text, endpoint: endpoint, allowsWholeHub: true))
        }
        let options = try ShownOption.all(files, environment, section)
        if json {
            let report: [String: JSON] = [
                "files": .array(files.map { .string($0.path) }),
                "options": .array(options.map(\.json)),
            ]
            return try writeLine(JSON.object(report).text)
        }
        for option in options { try writeLine(option.line(withOrigin: origin)) }
        for warning in ShownOption.strayVariables(environment, options) {
            writeToStandardError("hubfs: \(warning)\n")
        }
    }
}
