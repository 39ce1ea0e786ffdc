import ArgumentParser

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Give volumes to container engines.",
        subcommands: [ServeDockerCommand.self, ServeCSICommand.self])
}
