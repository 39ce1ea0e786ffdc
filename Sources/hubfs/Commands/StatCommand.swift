import ArgumentParser
import HubClient

struct StatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat",
        abstract: "Show what the Hub says of a file, a folder or a repo.",
        discussion: """
            The oid names the bytes: a git blob oid, the sha256 of an LFS file, or a git tree oid. \
            'cached' is how many of the bytes are in the local cache. Files of buckets have a date \
            of their own, 'modified'.
            """)

    @Argument(help: "A repo, or a folder or file of it.")
    var uri: String

    @Flag(help: "As one JSON object.")
    var json = false

    @OptionGroup(title: "Hub options") var hub: HubOptions
    @OptionGroup(title: "Cache options") var cache: CacheOptions

    func run() throws {
        try RepoBrowser.visit([uri], hub, cache) { repo, path throws(Failure) in
            let item = try repo.item(at: path)
            let cached = repo.cachedBytes(of: item)
            if json {
                let members = repo.members.merging(item.members(cachedBytes: cached)) { $1 }
                return try writeLine(JSON.object(members).text)
            }
            var rows = [["path", "/" + printable(item.path)], ["type", item.type]]
            if item.type == "file" { rows.append(["size", "\(item.size)"]) }
            if let oid = item.oid { rows.append(["oid", oid]) }
            if let sha256 = item.sha256 { rows.append(["sha256", sha256]) }
            if item.type == "file" { rows.append(["cached", "\(cached)"]) }
            if let modified = item.modified { rows.append(["modified", modified]) }
            let seconds = repo.snapshot.commitDateNanoseconds / 1_000_000_000
            rows += [
                ["repo", repo.snapshot.repo.description], ["commit", repo.snapshot.commit.hex],
                ["date", utcTime(seconds: seconds)],
            ]
            for line in columns(rows) { try writeLine(line) }
        }
    }
}
