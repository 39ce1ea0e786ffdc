import HubClient
import RepoFS
import WriteBack

/// How a commit ended, as it goes over the control socket.
struct CommitResult: Sendable {
    /// What the workspace stands on now, 40 digits; empty when that is not known.
    var commit = ""
    /// The branch or pull request that has it.
    var ref = ""
    /// Paths that were committed.
    var changeCount = 0
    /// Paths that stay in the workspace, with the reason; of many the first ones.
    var localOnly: [String] = []
    var localOnlyCount = 0
    /// Where our own versions are that gave way to others', and conflicts nobody has decided; of many
    /// the first ones.
    var asides: [String] = []
    var conflicts: [String] = []
    var code = ExitCode.success
    /// Why the edits are not at the Hub; nil when they are.
    var sentence: String?
    /// On a mount of the whole Hub, the repos that it is about; `commit` and `ref` are empty then.
    var repos: [Repo] = []

    /// What one repo of several has to tell.
    struct Repo: Hashable, Sendable {
        /// From the mount point.
        let path: String
        let commit: String
        let ref: String
        let changeCount: Int
    }

    /// The control socket's lines have a limit: so many texts of so many bytes fit, also escaped.
    private static let localOnlyCountMax = 50
    private static let textBytesMax = 512

    private static let repoCountMax = 50

    private static func brief(_ text: String, _ bytesMax: Int) -> String {
        let bytes = Array(printable(text).utf8)
        guard bytes.count > bytesMax else { return String(decoding: bytes, as: UTF8.self) }
        return String(decoding: bytes.prefix(bytesMax), as: UTF8.self) + "…"
    }

    private static func brief(_ text: String) -> String { brief(text, textBytesMax) }

    init(_ report: CommitReport) {
        commit = report.commit.hex
        ref = report.ref
        changeCount = report.changeCount
        localOnly = report.localOnly.prefix(Self.localOnlyCountMax).map {
            "\(Self.brief($0.path)) (\($0.reason.sentence))"
        }
        localOnlyCount = report.localOnly.count
        let refused = report.localOnly.filter(\.isRefused)
        if let first = refused.first {
            code = .refused
            let more = refused.count > 1 ? " and \(refused.count - 1) more" : ""
            sentence =
                "not everything is at the Hub: \(Self.brief(first.path))\(more); the workspace keeps it"
        }
    }

    init(keptAt commit: CommitOID) { self.commit = commit.hex }

    /// A mount that is read only went to what its branch has, or did not.
    init(_ result: FollowResult) {
        switch result {
        case .success(let commit): self.commit = commit.hex
        case .failure(let error):
            let failure = Failure(error, isAnonymous: false)
            code = failure.code
            sentence = failure.sentence + "; the mount stays at the commit it shows"
        }
    }

    /// Edits were given up, or not.
    init(_ discarding: Discarding, at commit: CommitOID) {
        self.commit = commit.hex
        changeCount = discarding.count
        if !discarding.busy.isEmpty {
            code = .busy
            sentence =
                "open for writing: \(Self.list(discarding.busy)); nothing was discarded"
        } else if !discarding.unedited.isEmpty {
            code = .notFound
            sentence =
                "nothing is edited at \(Self.list(discarding.unedited)); nothing was discarded"
        }
    }

    /// Conflicts were decided, or not.
    init(_ resolution: Resolution, at commit: CommitOID) {
        self.commit = commit.hex
        changeCount = resolution.resolved.count
        asides = resolution.asides.prefix(Self.localOnlyCountMax / 2).map(Self.brief)
        conflicts = resolution.left.prefix(Self.localOnlyCountMax / 2).map(Self.brief)
        if !resolution.unknown.isEmpty {
            code = .notFound
            sentence =
                "no conflict is known at \(Self.list(resolution.unknown)); hubfs status lists them"
        }
    }

    private static func list(_ paths: [String]) -> String {
        let more = paths.count > 5 ? " and \(paths.count - 5) more" : ""
        return paths.prefix(5).map(brief).joined(separator: ", ") + more
    }

    init(_ error: PublishError) {
        let failure = Failure(error)
        code = failure.code
        sentence = failure.sentence
    }

    init(_ code: ExitCode, _ sentence: String) {
        self.code = code
        self.sentence = sentence
    }

    /// What was done in several repos, by their paths from the mount point. Its code is that of the first
    /// that something kept.
    init(_ results: [(path: String, result: CommitResult)]) {
        let failed = results.filter { $0.result.sentence != nil }
        code = failed.first?.result.code ?? .success
        let sentences = failed.prefix(Self.repoCountMax).compactMap { path, result in
            result.sentence.map { "\(path): \($0)" }
        }
        sentence = sentences.isEmpty ? nil : Self.brief(sentences.joined(separator: "; "), 4096)
        changeCount = results.reduce(0) { $0 + $1.result.changeCount }
        localOnlyCount = results.reduce(0) { $0 + $1.result.localOnlyCount }
        func gathered(_ member: (CommitResult) -> [String], _ countMax: Int) -> [String] {
            let all = results.flatMap { path, result in
                member(result).map { Self.brief(path + "/" + $0) }
            }
            return Array(all.prefix(countMax))
        }
        localOnly = gathered(\.localOnly, Self.localOnlyCountMax)
        asides = gathered(\.asides, Self.localOnlyCountMax / 2)
        conflicts = gathered(\.conflicts, Self.localOnlyCountMax / 2)
        let changed = results.filter { $0.result.changeCount > 0 }
        let unchanged = results.filter { $0.result.changeCount == 0 && $0.result.sentence == nil }
        repos = (changed + unchanged).prefix(Self.repoCountMax).map { path, result in
            Repo(
                path: Self.brief(path), commit: result.commit, ref: Self.brief(result.ref),
                changeCount: result.changeCount)
        }
    }

    var json: JSON {
        .object([
            "commit": .string(commit), "ref": .string(ref), "changes": .integer(Int64(changeCount)),
            "localOnly": .array(localOnly.map { .string($0) }),
            "localOnlyCount": .integer(Int64(localOnlyCount)),
            "asides": .array(asides.map { .string($0) }),
            "conflicts": .array(conflicts.map { .string($0) }),
            "code": .integer(Int64(code.rawValue)), "error": .optional(sentence),
            "repos": .array(repos.map(\.json)),
        ])
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let commit = json["commit"]?.string, let changes = json["changes"]?.integer,
            let localOnly = json["localOnly"]?.array,
            let count = json["localOnlyCount"]?.integer,
            let code = json["code"]?.integer.flatMap({ ExitCode(rawValue: Int32($0)) })
        else { return nil }
        self.commit = commit
        ref = json["ref"]?.string ?? ""
        changeCount = Int(changes)
        self.localOnly = localOnly.compactMap(\.string)
        localOnlyCount = Int(count)
        asides = json["asides"]?.array?.compactMap(\.string) ?? []
        conflicts = json["conflicts"]?.array?.compactMap(\.string) ?? []
        self.code = code
        sentence = json["error"]?.string
        repos = json["repos"]?.array?.compactMap { Repo($0) } ?? []
    }
}

extension CommitResult.Repo {
    var json: JSON {
        .object([
            "path": .string(path), "commit": .string(commit), "ref": .string(ref),
            "changes": .integer(Int64(changeCount)),
        ])
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let path = json["path"]?.string, let commit = json["commit"]?.string,
            let ref = json["ref"]?.string, let changes = json["changes"]?.integer
        else { return nil }
        self.init(path: path, commit: commit, ref: ref, changeCount: Int(changes))
    }
}

extension LocalOnly.Reason {
    var sentence: String {
        switch self {
        case .emptyDirectory: "an empty directory: git keeps files only"
        case .symbolicLink: "a symbolic link: the Hub has none"
        case .ignored: "ignored"
        case .setAside:
            "your version, which gave way to somebody else's: rename it to commit it, or remove it"
        case .gitIgnored: "excluded by the repo's .gitignore"
        case .unpublishable(let why): "cannot be published: \(why)"
        case .refused(let why): "the Hub refuses it: \(why)"
        case .openForWriting: "open for writing: it goes with the next commit"
        }
    }
}
