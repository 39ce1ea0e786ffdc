/// What can be asked of a repo, with its parameters decoded.
enum RepoAction: Equatable, Sendable {
    case info(revision: String?)
    case tree(revision: String, path: String)
    case pathsInfo(revision: String)
    case treeSize(revision: String, path: String)
    case refs
    case commits(revision: String)
    case preupload(revision: String)
    case commit(revision: String)
    case branch(String)
    case tag(String)
    case settings
    case resolve(revision: String, path: String)
    case raw(revision: String, path: String)
    case lfsBatch
    case lfsVerify
    case xetToken(XetToken.Scope, revision: String)
    case compare(String)
    case superSquash(String)
    case lfsFiles
    case lfsFilesBatch
    case lfsFilesDuplicate
    case lfsFile(String)
    case discussions
    case discussion(Int)
    case discussionPart(Int, DiscussionPart)

    /// What is changed of a discussion, as its path says it.
    enum DiscussionPart: String, Sendable {
        case comment
        case title
        case status
        case merge
        case ref
    }

    /// Reads what follows the id in `/api/models/ID/…`.
    static func api(_ rest: ArraySlice<String>) -> RepoAction? {
        guard let word = rest.first else { return .info(revision: nil) }
        let next = rest.dropFirst().first
        let tail = rest.dropFirst(2).joined(separator: "/")
        switch (word, rest.count) {
        case ("refs", 1): return .refs
        case ("settings", 1): return .settings
        case ("discussions", 1...3): return discussion(rest.dropFirst())
        case ("lfs-files", 1): return .lfsFiles
        case ("lfs-files", 2): return lfsFiles(rest[rest.startIndex + 1])
        case ("branch", 2...): return .branch(rest.dropFirst().joined(separator: "/"))
        case ("tag", 2...): return .tag(rest.dropFirst().joined(separator: "/"))
        default: break
        }
        guard let revision = next else { return nil }
        switch (word, rest.count) {
        case ("tree", _): return .tree(revision: revision, path: tail)
        case ("treesize", _): return .treeSize(revision: revision, path: tail)
        case ("revision", 2): return .info(revision: revision)
        case ("paths-info", 2): return .pathsInfo(revision: revision)
        case ("commits", 2): return .commits(revision: revision)
        case ("preupload", 2): return .preupload(revision: revision)
        case ("commit", 2): return .commit(revision: revision)
        case ("compare", 2): return .compare(revision)
        case ("super-squash", 2): return .superSquash(revision)
        case ("xet-read-token", 2): return .xetToken(.read, revision: revision)
        case ("xet-write-token", 2): return .xetToken(.write, revision: revision)
        default: return nil
        }
    }

    /// Reads what follows `lfs-files`.
    private static func lfsFiles(_ word: String) -> RepoAction {
        switch word {
        case "batch": .lfsFilesBatch
        case "duplicate": .lfsFilesDuplicate
        default: .lfsFile(word)
        }
    }

    /// Reads what follows `discussions`.
    private static func discussion(_ rest: ArraySlice<String>) -> RepoAction? {
        guard let word = rest.first else { return .discussions }
        guard let number = Int(word), number > 0 else { return nil }
        guard let part = rest.dropFirst().first else { return .discussion(number) }
        return DiscussionPart(rawValue: part).map { .discussionPart(number, $0) }
    }

    /// Reads what follows the id in `/ID/resolve/…`.
    static func web(_ rest: ArraySlice<String>) -> RepoAction? {
        guard rest.count >= 3, let word = rest.first, let revision = rest.dropFirst().first else {
            return nil
        }
        let path = rest.dropFirst(2).joined(separator: "/")
        switch word {
        case "resolve": return .resolve(revision: revision, path: path)
        case "raw": return .raw(revision: revision, path: path)
        default: return nil
        }
    }

    /// Reads what follows `ID.git`.
    static func git(_ rest: ArraySlice<String>) -> RepoAction? {
        switch Array(rest) {
        case ["info", "lfs", "objects", "batch"]: .lfsBatch
        case ["info", "lfs", "verify"]: .lfsVerify
        default: nil
        }
    }

    /// The name the counters have for it.
    var name: String {
        switch self {
        case .info: "info"
        case .tree: "tree"
        case .pathsInfo: "paths-info"
        case .treeSize: "treesize"
        case .refs: "refs"
        case .commits: "commits"
        case .preupload: "preupload"
        case .commit: "commit"
        case .branch: "branch"
        case .tag: "tag"
        case .settings: "settings"
        case .resolve: "resolve"
        case .raw: "raw"
        case .lfsBatch: "lfs-batch"
        case .lfsVerify: "lfs-verify"
        case .xetToken: "xet-token"
        case .compare: "compare"
        case .superSquash: "super-squash"
        case .lfsFiles, .lfsFilesBatch, .lfsFile: "lfs-files"
        case .lfsFilesDuplicate: "lfs-duplicate"
        case .discussions: "discussions"
        case .discussion: "discussion"
        case .discussionPart(_, let part): "discussion-" + part.rawValue
        }
    }
}

/// One reading of a path: the repo's id, and what is asked of it.
///
/// A path may have two readings, since old ids have one segment and new ones two.
struct RepoAddress: Equatable, Sendable {
    /// One segment or two.
    let id: [String]
    let action: RepoAction
    /// What stands around the id in the path, for redirects.
    let before: String
    let after: String
}

/// Where a request leads.
enum Endpoint: Equatable, Sendable {
    case whoami
    case createRepo
    case deleteRepo
    case moveRepo
    case validateYAML
    case completeMultipart
    case listRepos(RepoKind)
    /// Readings in order of likelihood; never empty.
    case repo(RepoKind, [RepoAddress])
    case resolveCache(RepoKind, namespace: String, name: String, commit: String, path: String)
    case cas(CASAction)
    case admin([String])
    case unknown

    /// Reads a path of the Hub's own listener.
    static func hub(_ path: String) -> Endpoint {
        let raw = path.split(separator: "/").map(String.init)
        let segments = raw.compactMap { URLText.decode($0) }
        guard segments.count == raw.count, let first = segments.first else { return .unknown }
        switch first {
        case "api":
            return api(raw, segments)
        case "_localhub":
            return .admin(Array(segments.dropFirst()))
        case "cas" where ["v1", "v2"].contains(segments.dropFirst().first):
            return .cas(CASAction(segments.dropFirst()))
        default:
            return web(raw, segments)
        }
    }

    private static func api(_ raw: [String], _ segments: [String]) -> Endpoint {
        switch Array(segments.dropFirst()) {
        case ["whoami-v2"]: return .whoami
        case ["repos", "create"]: return .createRepo
        case ["repos", "delete"]: return .deleteRepo
        case ["repos", "move"]: return .moveRepo
        case ["validate-yaml"]: return .validateYAML
        case ["complete_multipart"]: return .completeMultipart
        default: break
        }
        if segments.count >= 7, segments[1] == "resolve-cache",
            let kind = RepoKind(plural: segments[2])
        {
            return .resolveCache(
                kind, namespace: segments[3], name: segments[4], commit: segments[5],
                path: segments[6...].joined(separator: "/"))
        }
        guard segments.count >= 2, let kind = RepoKind(plural: segments[1]) else {
            return .unknown
        }
        if segments.count == 2 { return .listRepos(kind) }
        let addresses = [2, 1].compactMap { length in
            address(raw, segments, prefix: 2, idLength: length, RepoAction.api)
        }
        return addresses.isEmpty ? .unknown : .repo(kind, addresses)
    }

    private static func web(_ raw: [String], _ segments: [String]) -> Endpoint {
        let kind = RepoKind(plural: segments[0]) ?? .model
        let prefix = kind == .model ? 0 : 1
        let addresses = [2, 1].compactMap { length -> RepoAddress? in
            guard segments.count > prefix + length else { return nil }
            let isGit = segments[prefix + length - 1].hasSuffix(".git")
            return address(
                raw, segments, prefix: prefix, idLength: length,
                isGit ? RepoAction.git : RepoAction.web)
        }
        return addresses.isEmpty ? .unknown : .repo(kind, addresses)
    }

    private static func address(
        _ raw: [String], _ segments: [String], prefix: Int, idLength: Int,
        _ read: (ArraySlice<String>) -> RepoAction?
    ) -> RepoAddress? {
        let end = prefix + idLength
        guard segments.count >= end, let action = read(segments[end...]) else { return nil }
        let suffix = segments[end - 1].hasSuffix(".git") ? ".git" : ""
        var id = Array(segments[prefix..<end])
        id[idLength - 1] = id[idLength - 1].trimmingSuffix(suffix.isEmpty ? "/" : suffix)
        return RepoAddress(
            id: id, action: action, before: "/" + raw[..<prefix].map { $0 + "/" }.joined(),
            after: suffix + raw[end...].map { "/" + $0 }.joined())
    }

    /// The class of its traffic.
    var traffic: TrafficClass {
        switch self {
        case .resolveCache: .resolve
        case .completeMultipart: .lfs
        case .cas: .cas
        case .repo(_, let addresses):
            switch addresses[0].action {
            case .resolve, .raw: .resolve
            case .lfsBatch, .lfsVerify: .lfs
            default: .api
            }
        default: .api
        }
    }

    /// All names the counters have, of both listeners.
    static let names = CASAction.names.union([
        "whoami", "create", "delete", "move", "list", "validate-yaml", "info", "tree",
        "paths-info", "treesize", "refs", "commits", "compare", "super-squash", "preupload",
        "commit", "branch", "tag", "settings", "discussions", "discussion", "discussion-comment",
        "discussion-title", "discussion-status", "discussion-merge", "discussion-ref",
        "lfs-files", "lfs-duplicate", "resolve", "raw", "resolve-cache", "lfs-batch",
        "lfs-verify", "lfs-upload", "lfs-part", "lfs-complete", "cdn", "unknown",
        "xet-token", "xorb", "xorb-upload",
    ])

    /// The name the counters have for it.
    var name: String {
        switch self {
        case .whoami: "whoami"
        case .createRepo: "create"
        case .deleteRepo: "delete"
        case .moveRepo: "move"
        case .validateYAML: "validate-yaml"
        case .completeMultipart: "lfs-complete"
        case .listRepos: "list"
        case .repo(_, let addresses): addresses[0].action.name
        case .resolveCache: "resolve-cache"
        case .cas(let action): action.name
        case .admin: "admin"
        case .unknown: "unknown"
        }
    }
}
