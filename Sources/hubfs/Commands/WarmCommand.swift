import ArgumentParser
import HubClient
import Platform
import RepoCache
import SystemPackage

struct WarmCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "warm",
        abstract: "Fetch files into the cache before they are read.",
        discussion: """
            For a mounted directory, or a file or folder below one, the commit that it shows, into the cache \
            that it uses; for a repo or a part of it, with or without a mount. What is in the cache \
            already is not fetched again, so a command that was ended goes on where it was.

              hubfs warm hf://openai-community/gpt2 --include '*.safetensors' --include '*.json'
              hubfs warm /mnt/gpt2/onnx
              hubfs warm --check /mnt/gpt2 || echo "not all here"

            Patterns are those of huggingface_hub and stand for whole paths in the repo: '*' goes across \
            slashes, and 'onnx/' means all that is below. A terminal is shown the progress; else one line \
            at the end says what was done.
            """)

    @Argument(help: "Repos or parts of them, and directories or files below a mount.")
    var sources: [String]

    @Option(help: ArgumentHelp("Only files that match; may be repeated.", valueName: "pattern"))
    var include: [String] = []

    @Option(help: ArgumentHelp("No files that match; may be repeated.", valueName: "pattern"))
    var exclude: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only files that are in this list of paths in the repo, one a line; '-' is stdin.",
            valueName: "file"))
    var list: String?

    @Flag(help: "Fetch nothing; say what is missing, and end with code 15 if something is.")
    var check = false

    @Flag(help: "Remove the files' contents from the cache; other repos may share them.")
    var evict = false

    @Flag(help: "As one JSON object.")
    var json = false

    @OptionGroup(title: "Hub options") var hub: HubOptions
    @OptionGroup(title: "Cache options") var cache: CacheOptions

    func validate() throws {
        guard !sources.isEmpty else { throw ValidationError("Name what to fetch.") }
        guard !(check && evict) else {
            throw ValidationError("--check and --evict exclude each other.")
        }
    }

    func run() throws {
        let selection = try FileSelection(includes: include, excludes: exclude, list: list)
        let found = WarmSources(hub, cache)
        defer { found.close() }
        for source in sources { try found.add(source, selection) }
        if check {
            try WarmCheck(found.sources).report(asJSON: json)
        } else if evict {
            try evict(found.sources)
        } else {
            try fetch(found.sources)
        }
    }

    private func fetch(_ sources: [WarmSource]) throws(Failure) {
        let missing = WarmCheck(sources)
        for source in sources {
            let limit = source.hub.cache.limitBytes
            if missing.missingBytes(in: source.hub.cachePath) > limit {
                throw Failure(
                    .localStorage,
                    "\(readableSize(missing.missingBytes)) are to be fetched, and the cache has no "
                        + "room for them: \(source.hub.roomSentence)")
            }
        }
        let run = WarmRun(totalBytes: missing.missingBytes)
        let start = MonotonicInstant.now
        for source in sources { try run.fetch(source) }
        let tally = run.tally
        if json {
            let report: [String: JSON] = [
                "files": .integer(Int64(tally.fileCount)), "bytes": .count(tally.bytes),
                "fetchedFiles": .integer(Int64(tally.fetchedFileCount)),
                "fetchedBytes": .count(tally.fetchedBytes),
            ]
            return try writeLine(JSON.object(report).text)
        }
        let span = readableSpan(seconds: Int64(MonotonicInstant.now.seconds(since: start)))
        try writeLine(
            "fetched \(tally.fetchedFileCount) of \(tally.fileCount) files, "
                + "\(readableSize(tally.fetchedBytes)) of \(readableSize(tally.bytes)), in \(span)")
    }

    private func evict(_ sources: [WarmSource]) throws(Failure) {
        var total = CacheInventory.Removal()
        for source in sources {
            let wanted = Set(source.files.compactMap(\.content))
            let removal = try Failure.ofCache { () throws(CacheError) in
                let cache = try CacheInventory(
                    root: FilePath(source.hub.cachePath), logger: quietLogger)
                defer { cache.close() }
                return try cache.remove(try cache.contents().filter { wanted.contains($0.content) })
            }
            total.removedCount += removal.removedCount
            total.freedBytes += removal.freedBytes
            total.inUse += removal.inUse
        }
        if json {
            let report: [String: JSON] = [
                "removed": .integer(Int64(total.removedCount)),
                "bytes": .count(total.freedBytes), "inUse": .integer(Int64(total.inUse.count)),
            ]
            try writeLine(JSON.object(report).text)
        } else {
            try writeLine(
                "removed \(total.removedCount) contents, \(readableSize(total.freedBytes))")
        }
        if !total.inUse.isEmpty {
            throw Failure(.busy, "\(total.inUse.count) contents are in use by a mount and stay")
        }
    }
}
