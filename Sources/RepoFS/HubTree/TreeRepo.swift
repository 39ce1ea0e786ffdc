import HubClient

/// A repo at a revision, by the name it has in the whole Hub's tree.
struct TreeRepo: Hashable, Sendable, CustomStringConvertible {
    /// The name may be that of an old repo without namespace.
    let repo: RepoID
    /// nil is the main branch, which is not spelled out.
    let revision: Revision?

    init(_ repo: RepoID, _ revision: Revision?) {
        self.repo = repo
        self.revision = revision == .main ? nil : revision
    }

    /// Its name in the directory of its account: `name`, or `name@revision` with `%2F` for `/`.
    var fileName: String {
        let name = repo.name.split(separator: "/").last.map(String.init) ?? repo.name
        return revision.map { "\(name)@\($0.segment)" } ?? name
    }

    /// From the root of the tree: `models/org/name@revision`.
    var description: String {
        revision.map { "\(repo)@\($0.segment)" } ?? repo.description
    }

    /// Whose it is; nil for a repo without namespace.
    var account: HubAccount? {
        let parts = repo.name.split(separator: "/")
        return parts.count == 2 ? HubAccount(kind: repo.kind, name: String(parts[0])) : nil
    }
}

/// A user or an organisation, with what it has of one kind.
struct HubAccount: Hashable, Sendable, CustomStringConvertible {
    let kind: RepoKind
    let name: String

    /// From the root of the tree: `models/org`.
    var description: String { "\(kind.apiName)/\(name)" }
}
