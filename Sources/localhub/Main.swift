import ArgumentParser

@main
struct LocalHubCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "localhub",
        abstract: "A Hugging Face Hub in a folder.",
        discussion: """
            Each repo is a bare git repository with its LFS objects beside it. Official clients
            take the server for the Hub: set HF_ENDPOINT to its URL and HF_HUB_DISABLE_XET=1.
            """,
        subcommands: [
            Serve.self, Import.self, Token.self, Repo.self, FaultCommand.self, Stats.self,
        ]
    )
}
