import FuseBridge
import HubClient

/// A directory or a link of the tree's own, above the repos.
enum HubPlace: Hashable, Sendable {
    case root
    case kind(RepoKind)
    case account(HubAccount)
    /// - Parameter path: From the root of the tree.
    case link(path: String, target: String)

    /// From the root of the tree.
    var path: String {
        switch self {
        case .root: ""
        case .kind(let kind): kind.apiName
        case .account(let account): account.description
        case .link(let path, _): path
        }
    }

    var nodeKind: NodeKind {
        if case .link = self { .symbolicLink } else { .directory }
    }

    /// `st_ino`: of the same scheme as those of repos, which begin with a kind as well; these with a
    /// slash, which no repo's name has there.
    var inodeNumber: UInt64 { InodeNumbers.root(repo: "/" + path, path: "") }
}

extension TreeRepo {
    /// The directory that it is in.
    var place: HubPlace { account.map { .account($0) } ?? .kind(repo.kind) }
}

/// What a name in the tree can stand for, told without asking anybody.
enum PossibleName: Hashable {
    case kind(RepoKind)
    case account(HubAccount)
    /// An account, or else an old repo without namespace.
    case accountOrRepo(HubAccount, TreeRepo)
    case repo(TreeRepo)
    case nothing

    /// What programs look for in every directory is refused here as far as the Hub's rules for names
    /// allow: `.git`, `.Trash-1000`, `.hidden`, `lost+found`.
    init(_ name: FileName, in place: HubPlace) {
        guard let text = String(validating: name.bytes, as: UTF8.self) else {
            self = .nothing
            return
        }
        switch place {
        case .root: self = Self.inRoot(text)
        case .kind(let kind): self = Self.ofKind(kind, text)
        case .account(let account): self = Self.ofAccount(account, text)
        case .link: self = .nothing
        }
    }

    /// Words that begin an `hf://` address and name no account.
    private static let otherKinds: Set<String> = [
        "kernels", "buckets", "kernel", "bucket", "model", "dataset", "space",
    ]

    private static func inRoot(_ text: String) -> PossibleName {
        if let kind = RepoKind.listed.first(where: { $0.apiName == text }) { return .kind(kind) }
        if otherKinds.contains(text) || faultOfRepoName(text) != nil { return .nothing }
        return .account(HubAccount(kind: .model, name: text))
    }

    private static func ofKind(_ kind: RepoKind, _ text: String) -> PossibleName {
        guard let (name, revision) = split(text) else { return .nothing }
        let account = HubAccount(kind: kind, name: name)
        let repo = TreeRepo(RepoID(kind: kind, name: name), revision)
        // Spaces came after the time of names without a namespace.
        if kind == .space { return revision == nil ? .account(account) : .nothing }
        return revision == nil ? .accountOrRepo(account, repo) : .repo(repo)
    }

    private static func ofAccount(_ account: HubAccount, _ text: String) -> PossibleName {
        guard let (name, revision) = split(text) else { return .nothing }
        return .repo(
            TreeRepo(RepoID(kind: account.kind, name: account.name + "/" + name), revision))
    }

    /// `name[@revision]`; nil for what no repo and no revision is called.
    private static func split(_ text: String) -> (name: String, revision: Revision?)? {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard faultOfRepoName(parts[0]) == nil else { return nil }
        guard parts.count == 2 else { return (String(parts[0]), nil) }
        let revision = Revision(segment: parts[1])
        return revision.isPossible ? (String(parts[0]), revision) : nil
    }
}
