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

    @Option(
        help: ArgumentHelp("Address of the Hub, instead of HF_ENDPOINT.", valueName: "url"),
        transform: { text in
            guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
                throw ValidationError("it is no address such as https://huggingface.co")
            }
            return text
        })
    var endpoint: String?

    @Option(
        help: ArgumentHelp(
            "End a read with an error after this time without progress (default: 30).",
            valueName: "seconds"))
    var readTimeout: Seconds?

    @Flag(
        help: ArgumentHelp(
            "Use the cache alone and open no connection, as with HF_HUB_OFFLINE=1.",
            discussion: """
                A branch is what it was when last seen. What is not in the cache cannot be read \
                (ENETUNREACH).
                """))
    var offline = false

    @Flag(
        name: .customLong("no-xet"),
        help: ArgumentHelp(
            "Fetch files from the CDN alone, and send them to LFS storage, as with HF_HUB_DISABLE_XET=1.",
            discussion: """
                Without it, what is read in order of large files comes from Xet's store in chunks, and \
                chunks that other files in the cache have are copied from there; commits send the chunks \
                that the store does not have.
                """))
    var ignoresXet = false

    /// The options as words of a command line.
    var words: [String] {
        var words: [String] = []
        if let tokenFile { words += MountOption.tokenFile.words(tokenFile) }
        if let endpoint { words += MountOption.endpoint.words(endpoint) }
        if let readTimeout { words += MountOption.readTimeout.words("\(readTimeout.value)") }
        if offline { words += MountOption.offline.words() }
        if ignoresXet { words += MountOption.noXet.words() }
        return words
    }

    /// The environment with these options in it.
    func hubEnvironment(_ environment: Environment) -> HubEnvironment {
        var variables = environment.variables
        if let endpoint { variables["HF_ENDPOINT"] = endpoint }
        if offline { variables["HF_HUB_OFFLINE"] = "1" }
        if ignoresXet { variables["HF_HUB_DISABLE_XET"] = "1" }
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

    @Option(
        help: ArgumentHelp(
            "Room that the cache leaves free on its disk (default: 1G).", valueName: "size"))
    var cacheFree: ByteSize?

    @Flag(
        name: .customLong("no-hf-cache"),
        help: ArgumentHelp(
            "Do not read what Hugging Face's own tools have downloaded.",
            discussion: """
                Without it, files that are in HF_HUB_CACHE are read from there, not fetched again. Nothing \
                is changed there.
                """))
    var ignoresHfCache = false

    var words: [String] {
        var words: [String] = []
        if let cacheDir { words += MountOption.cacheDir.words(cacheDir) }
        if let cacheSize { words += MountOption.cacheSize.words(String(cacheSize.bytes)) }
        if let cacheFree { words += MountOption.cacheFree.words(String(cacheFree.bytes)) }
        if ignoresHfCache { words += MountOption.noHfCache.words() }
        return words
    }
}
