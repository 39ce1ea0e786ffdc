import ArgumentParser

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show options that the environment and files set.",
        discussion: """
            An option that is not on the command line is taken from its variable, HUBFS_READ_TIMEOUT for \
            --read-timeout; then from the user's file, ~/.config/hubfs/config.toml; then from \
            /etc/hubfs/config.toml. In a file, the section of a repo goes before what is for all:

              cache-size = "50G"
              read-timeout = 60

              [repo."hf://org/model"]
              token-file = "~/.org-token"
              offline = true
            """,
        subcommands: [ConfigShowCommand.self, ConfigPathCommand.self])
}

struct ConfigPathCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "path",
        abstract: "Print where the user's configuration file is, or would be.")

    func run() throws {
        guard let path = ConfigFiles(Environment()).user else {
            throw Failure(.failure, "there is no place for a configuration file: set HOME")
        }
        try writeLine(path)
    }
}
