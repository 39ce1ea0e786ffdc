import ArgumentParser
import HubClient
import RepoCache

struct CacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache",
        abstract: "Show, empty and check the local cache.",
        discussion: """
            The cache keeps bytes by what they are, not by where they were found: a file that is the \
            same in two repos or revisions is kept once. These commands may run beside mounts; what a \
            mount has open stays.
            """,
        subcommands: [
            CacheListCommand.self, CacheUseCommand.self, CacheRemoveCommand.self,
            CachePruneCommand.self, CacheVerifyCommand.self,
        ]
    )
}

/// Which cache is meant: for the commands that look after it.
struct CacheFolderOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder of the cache, instead of $HUBFS_CACHE or ~/.cache/hubfs.", valueName: "dir"))
    var cacheDir: String?

    /// Opens the cache; the caller closes it.
    func open(mendsDatabases: Bool = false) throws(Failure) -> CacheInventory {
        let root = try HubAccess.cacheRoot(cacheDir, Environment())
        return try Failure.ofCache { () throws(CacheError) in
            try CacheInventory(root: root, mendsDatabases: mendsDatabases, logger: quietLogger)
        }
    }
}

struct CacheListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List cached contents, the least recently used first.",
        discussion: """
            Size in bytes, how much of it is here, '+' if it is whole and verified, the first digits \
            of its oid, and where it was found.
            """)

    @OptionGroup var folder: CacheFolderOption

    @Flag(help: "As one JSON object with the member 'contents'.")
    var json = false

    func run() throws {
        let cache = try folder.open()
        defer { cache.close() }
        let contents = try Failure.ofCache { () throws(CacheError) in try cache.contents() }
        if json {
            let list = JSON.array(contents.map(\.json))
            return try writeLine(JSON.object(["contents": list]).text)
        }
        let rows = contents.map { content in
            let percent = content.size == 0 ? 100 : content.presentBytes * 100 / content.size
            return [
                String(content.size), "\(percent) %", content.isSealed ? "+" : "-",
                String(content.content.digest.prefix(12)), printable(content.shownPath),
            ]
        }
        for line in columns(rows, rightAligned: [0, 1]) { try writeLine(line) }
    }
}

struct CacheUseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "du",
        abstract: "Show the disk use of the cache by repo.",
        discussion: """
            A content found in several repos is counted to the first of them. The total counts \
            everything in the folder, the cache's own databases too.
            """)

    @OptionGroup var folder: CacheFolderOption

    @Flag(help: "As one JSON object with the members 'bytes' and 'repos'.")
    var json = false

    private struct Use {
        var bytes: UInt64 = 0
        var contentCount = 0
    }

    func run() throws {
        let cache = try folder.open()
        defer { cache.close() }
        let (contents, total) = try Failure.ofCache { () throws(CacheError) in
            (try cache.contents(), try cache.diskBytes())
        }
        var uses: [String: Use] = [:]
        for content in contents {
            let repo = content.paths.first?.repo ?? "(unknown)"
            uses[repo, default: Use()].bytes += content.diskBytes
            uses[repo, default: Use()].contentCount += 1
        }
        let ordered = uses.sorted { ($0.value.bytes, $1.key) > ($1.value.bytes, $0.key) }
        if json {
            let repos = ordered.map { repo, use in
                JSON.object([
                    "repo": .string(repo), "bytes": .count(use.bytes),
                    "contents": .integer(Int64(use.contentCount)),
                ])
            }
            let report: [String: JSON] = ["bytes": .count(total), "repos": .array(repos)]
            return try writeLine(JSON.object(report).text)
        }
        let rows = ordered.map { [readableSize($0.value.bytes), printable($0.key)] }
        for line in columns(rows + [[readableSize(total), "total"]], rightAligned: [0]) {
            try writeLine(line)
        }
    }
}

struct CacheRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Remove contents from the cache.",
        discussion: """
            With repos, or folders or files of them: what was found there, at any revision. What a \
            mount has open stays; the command then ends with code 8. Nothing is lost: what is read \
            again is fetched again.
            """)

    @Argument(help: "Repos, or folders or files of them.")
    var uris: [String] = []

    @Flag(help: "Everything.")
    var all = false

    @Flag(name: [.customShort("n"), .long], help: "Only say what would be removed.")
    var dryRun = false

    @OptionGroup var folder: CacheFolderOption

    func validate() throws {
        guard all != !uris.isEmpty else {
            throw ValidationError("Name what to remove: repos, or --all.")
        }
    }

    func run() throws {
        let endpoint = HubEnvironment(variables: Environment().variables).endpoint
        let sources = try uris.map { try SourceName($0, endpoint: endpoint).uri }
        let cache = try folder.open()
        defer { cache.close() }
        let contents = try Failure.ofCache { () throws(CacheError) in
            try cache.contents().filter { content in
                all || content.paths.contains { path in sources.contains { path.isIn($0) } }
            }
        }
        if dryRun {
            for content in contents { try writeLine(printable(content.shownPath)) }
            let bytes = contents.reduce(0) { $0 + $1.diskBytes }
            return try writeLine(
                "would remove \(contents.count) contents, \(readableSize(bytes))")
        }
        let removal = try Failure.ofCache { () throws(CacheError) in try cache.remove(contents) }
        try writeLine(
            "removed \(removal.removedCount) contents, \(readableSize(removal.freedBytes))")
        if !removal.inUse.isEmpty {
            throw Failure(.busy, "\(removal.inUse.count) contents are in use by a mount and stay")
        }
    }
}
