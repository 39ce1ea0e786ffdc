import ArgumentParser
import HubClient
import RepoCache

struct CacheVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Look at every byte of the cache, and mend or drop what is damaged.",
        discussion: """
            Whole contents are compared with their names and dropped when they differ, so that they are \
            fetched again. Blocks of the others are compared with their checksums, and those that differ are \
            fetched again. Bytes whose map was lost get a new one if they are right; files that belong to \
            nothing are removed. A damaged database is begun anew, unless a mount uses it. When damage was \
            found, the command ends with code 11. Mounts may go on meanwhile.
            """)

    @OptionGroup var folder: CacheFolderOption

    @Flag(help: "As one JSON object.")
    var json = false

    func run() throws {
        let cache = try folder.open(mendsDatabases: true)
        defer { cache.close() }
        let scrub = try Failure.ofCache { () throws(CacheError) in try cache.verify() }
        if json {
            try writeLine(JSON.object(scrub.members).text)
        } else {
            for line in scrub.lines { try writeLine(line) }
        }
        if let sentence = scrub.damageSentence { throw Failure(.damaged, sentence) }
    }
}

extension CacheScrub {
    /// What scripts see.
    fileprivate var members: [String: JSON] {
        [
            "checked": .integer(Int64(checkedCount)), "bytes": .count(checkedBytes),
            "damaged": .array(damaged.map { .string($0.hex) }),
            "lostBlocks": .integer(Int64(lostBlockCount)),
            "restored": .array(restored.map { .string($0.hex) }),
            "removedFiles": .integer(Int64(removedFileCount)),
            "databases": .array(rebuiltDatabases.map { .string($0) }),
        ]
    }

    fileprivate var lines: [String] {
        var lines = ["checked \(checkedCount) contents, \(readableSize(checkedBytes))"]
        lines += damaged.map { "damaged and dropped: \($0.hex)" }
        lines += restored.map { "restored: \($0.hex)" }
        if lostBlockCount > 0 { lines.append("damaged blocks dropped: \(lostBlockCount)") }
        if removedFileCount > 0 { lines.append("files of nothing removed: \(removedFileCount)") }
        return lines + rebuiltDatabases.map { "damaged and begun anew: \($0)" }
    }

    /// What was damaged, in a sentence; nil when nothing was.
    fileprivate var damageSentence: String? {
        guard foundDamage else { return nil }
        var parts: [String] = []
        if !damaged.isEmpty { parts.append("\(damaged.count) contents were damaged") }
        if lostBlockCount > 0 { parts.append("\(lostBlockCount) blocks were damaged") }
        parts += rebuiltDatabases.map { "\($0) was damaged" }
        return parts.joined(separator: ", ") + "; what was dropped is fetched again when it is read"
    }
}
