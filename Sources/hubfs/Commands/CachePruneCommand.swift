import ArgumentParser
import HubClient
import RepoCache

struct CachePruneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove what was not used for long, or what is too much.",
        discussion: """
            With both options, first what is older, then the least recently used until the rest fits. What a \
            mount has open stays, and so does what edits stand on; what was used before goes in their place.

              hubfs cache prune --older-than 30d
              hubfs cache prune --to-size 20G --dry-run
            """)

    @Option(
        help: ArgumentHelp(
            "What was not used for this time, such as 30d, 12h or 45m.", valueName: "time"))
    var olderThan: TimeSpan?

    @Option(
        help: ArgumentHelp(
            "The least recently used, until the cache takes no more than this on disk.",
            valueName: "size"))
    var toSize: ByteSize?

    @Flag(name: [.customShort("n"), .long], help: "Only say what would be removed.")
    var dryRun = false

    @Flag(help: "As one JSON object.")
    var json = false

    @OptionGroup var folder: CacheFolderOption

    func validate() throws {
        guard olderThan != nil || toSize != nil else {
            throw ValidationError("Say what is too much: --older-than or --to-size.")
        }
    }

    func run() throws {
        let cache = try folder.open()
        defer { cache.close() }
        let wish = PruneWish(
            unusedSeconds: olderThan?.seconds, diskBytesMax: toSize?.bytes,
            pins: Environment().pins())
        if dryRun { return try show(cache, wish) }
        let (removal, left) = try Failure.ofCache { () throws(CacheError) in
            (try cache.prune(wish), try cache.diskBytes())
        }
        if json {
            let report: [String: JSON] = [
                "removed": .integer(Int64(removal.removedCount)),
                "bytes": .count(removal.freedBytes), "left": .count(left),
                "inUse": .integer(Int64(removal.inUse.count)),
            ]
            try writeLine(JSON.object(report).text)
        } else {
            try writeLine(
                "removed \(removal.removedCount) contents, \(readableSize(removal.freedBytes)); "
                    + "\(readableSize(left)) are left")
        }
        if let limit = toSize?.bytes, left > limit, !removal.inUse.isEmpty {
            throw Failure(
                .busy, "\(removal.inUse.count) contents are in use by a mount and stay")
        }
    }

    private func show(_ cache: CacheInventory, _ wish: PruneWish) throws(Failure) {
        let contents = try Failure.ofCache { () throws(CacheError) in try cache.prunable(wish) }
        let bytes = contents.reduce(0) { $0 + $1.diskBytes }
        if json {
            let report: [String: JSON] = [
                "wouldRemove": .array(contents.map(\.json)), "bytes": .count(bytes),
            ]
            return try writeLine(JSON.object(report).text)
        }
        for content in contents { try writeLine(printable(content.shownPath)) }
        try writeLine("would remove \(contents.count) contents, \(readableSize(bytes))")
    }
}
