import ArgumentParser
import LocalHub

struct FolderOption: ParsableArguments {
    @Option(help: ArgumentHelp("The Hub's folder; made if it is not there.", valueName: "dir"))
    var root: String
}

/// The repo a command is about.
struct RepoOption: ParsableArguments {
    @Argument(help: "The repo, as namespace/name.")
    var repo: RepoName

    @Option(help: "model, dataset or space.")
    var type: RepoKind = .model

    /// - Throws: `ValidationError` if the Hub has no such repo.
    func find(in hub: Hub) throws -> RepoRecord {
        guard let record = try hub.registry.repo(type, repo) else {
            throw ValidationError("There is no \(type.rawValue) \(repo) in \(hub.folder.root).")
        }
        return record
    }
}

/// `host:port`
struct HostPort: ExpressibleByArgument {
    let host: String
    let port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"),
            let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        let host = argument[..<colon].drop { $0 == "[" }.prefix { $0 != "]" }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: Int(port))
    }

    var defaultValueDescription: String { "\(host):\(port)" }
}

/// `api=1000`
struct Quota: ExpressibleByArgument {
    let name: String
    let count: Int

    init?(argument: String) {
        let sides = argument.split(separator: "=")
        guard sides.count == 2, ["api", "resolvers", "pages"].contains(sides[0]),
            let count = Int(sides[1]), count >= 0
        else { return nil }
        name = String(sides[0])
        self.count = count
    }
}

extension RepoKind: ExpressibleByArgument {}
extension Gate: ExpressibleByArgument {}
extension TokenRole: ExpressibleByArgument {}
extension TrafficClass: ExpressibleByArgument {}

extension RepoName: ExpressibleByArgument {
    public init?(argument: String) {
        self.init(argument)
    }
}

extension Link: ExpressibleByArgument {
    public init?(argument: String) {
        self.init(argument)
    }
}
