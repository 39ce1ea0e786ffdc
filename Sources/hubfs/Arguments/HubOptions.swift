import ArgumentParser
import HubClient

/// Where the Hub is and who asks: for every command that speaks to it.
///
/// There is no `--token`: a command line can be read by every user of the machine.
struct HubOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Read the access token from this file, again whenever it changes.",
            discussion: """
                Without it the token is found as Hugging Face's own tools find it. There is no \
                --token: every user of the machine can read a command line.
                """,
            valueName: "file"))
    var tokenFile: String?

    @Option(help: ArgumentHelp("Address of the Hub, instead of HF_ENDPOINT.", valueName: "url"))
    var endpoint: String?

    @Option(
        help: ArgumentHelp(
            "End a read with an error after this time without progress (default: 30).",
            valueName: "seconds"))
    var readTimeout: Seconds?

    func validate() throws {
        guard let endpoint else { return }
        guard endpoint.hasPrefix("http://") || endpoint.hasPrefix("https://") else {
            throw ValidationError("--endpoint is an address such as https://huggingface.co.")
        }
    }

    /// The options as words of a command line; paths hold from any folder.
    var words: [String] {
        var words: [String] = []
        if let tokenFile { words += MountOption.tokenFile.words(absolutePath(tokenFile)) }
        if let endpoint { words += MountOption.endpoint.words(endpoint) }
        if let readTimeout { words += MountOption.readTimeout.words("\(readTimeout.value)") }
        return words
    }

    /// The environment with these options in it.
    func hubEnvironment(_ environment: Environment) -> HubEnvironment {
        var variables = environment.variables
        if let endpoint { variables["HF_ENDPOINT"] = endpoint }
        return HubEnvironment(variables: variables, tokenFile: tokenFile.map(absolutePath))
    }
}

/// Where the cache is: for every command that uses it.
struct CacheOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder of the cache, instead of $HUBFS_CACHE or ~/.cache/hubfs.", valueName: "dir"))
    var cacheDir: String?

    @Option(
        help: ArgumentHelp(
            "Disk use at which the least recently used contents go, such as 50G.",
            valueName: "size"))
    var cacheSize: ByteSize?

    var words: [String] {
        var words: [String] = []
        if let cacheDir { words += MountOption.cacheDir.words(absolutePath(cacheDir)) }
        if let cacheSize { words += MountOption.cacheSize.words(String(cacheSize.bytes)) }
        return words
    }
}
