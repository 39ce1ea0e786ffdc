import ArgumentParser
import HubClient

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List a folder of a repo without mounting it.",
        discussion: """
            With -l: size in bytes, how much of it is cached, the first digits of the oid, and the \
            name; folders end with a slash.

              hubfs ls -l hf://openai-community/gpt2/onnx
            """)

    @Argument(help: "A repo, or a folder or file of it.")
    var uri: String

    @Flag(name: .customShort("l"), help: "One line with details for each entry.")
    var isLong = false

    @Flag(help: "As one JSON object with the member 'entries'.")
    var json = false

    @OptionGroup(title: "Hub options") var hub: HubOptions
    @OptionGroup(title: "Cache options") var cache: CacheOptions

    func run() throws {
        try RepoBrowser.visit([uri], hub, cache) { repo, path throws(Failure) in
            let items = try repo.items(of: try repo.item(at: path))
            if json { return try writeJSON(items, repo) }
            let lines = isLong ? details(items, repo) : items.map { printable($0.shownName) }
            if !lines.isEmpty { try writeLine(lines.joined(separator: "\n")) }
        }
    }

    private func details(_ items: [RepoBrowser.Item], _ repo: RepoBrowser) -> [String] {
        let rows = items.map { item in
            let percent = item.size == 0 ? 100 : repo.cachedBytes(of: item) * 100 / item.size
            return [
                item.type == "directory" ? "-" : String(item.size),
                item.type == "directory" ? "-" : "\(percent) %",
                String(item.oid?.prefix(12) ?? "-"), printable(item.shownName),
            ]
        }
        return columns(rows, rightAligned: [0, 1])
    }

    private func writeJSON(
        _ items: [RepoBrowser.Item], _ repo: RepoBrowser
    ) throws(Failure) {
        let entries = items.map { item in
            JSON.object(item.members(cachedBytes: repo.cachedBytes(of: item)))
        }
        var members = repo.members
        members["entries"] = .array(entries)
        try writeLine(JSON.object(members).text)
    }
}

extension RepoBrowser.Item {
    fileprivate var shownName: String { type == "directory" ? name + "/" : name }
}
