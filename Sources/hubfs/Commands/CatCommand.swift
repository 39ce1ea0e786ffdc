import ArgumentParser

struct CatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat",
        abstract: "Write files of a repo to stdout without mounting it.",
        discussion: """
            Reads through the cache and with a fixed amount of memory, whatever the size.

              hubfs cat hf://openai-community/gpt2/config.json | jq .model_type
            """)

    @Argument(help: "Files, one after the other.")
    var uris: [String]

    @OptionGroup(title: "Hub options") var hub: HubOptions
    @OptionGroup(title: "Cache options") var cache: CacheOptions

    func run() throws {
        try RepoBrowser.visit(uris, hub, cache) { repo, path throws(Failure) in
            try repo.read(try repo.item(at: path)) { bytes throws(Failure) in
                try writeToStandardOutput(bytes)
            }
        }
    }
}
