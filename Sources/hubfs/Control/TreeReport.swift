import HubClient
import RepoFS

/// What a daemon tells of the repos that a mount of the whole Hub has open.
struct TreeReport: Sendable {
    struct Repo: Sendable {
        /// From the mount point: `models/org/name@revision`.
        let path: String
        let commit: String
    }

    let repos: [Repo]

    init(_ repos: [HubMount.OpenRepo]) {
        self.repos = repos.map { Repo(path: $0.path, commit: $0.commit.hex) }
    }

    var json: JSON {
        .object([
            "openRepos": .array(
                repos.map {
                    .object(["path": .string($0.path), "commit": .string($0.commit)])
                })
        ])
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let rows = json["openRepos"]?.array else { return nil }
        repos = rows.compactMap { row in
            guard let path = row["path"]?.string, let commit = row["commit"]?.string else {
                return nil
            }
            return Repo(path: path, commit: commit)
        }
    }

    /// An address at the commit that the tree shows it at; as it is where the repo is not open.
    func pinned(_ uri: HubURI) -> HubURI {
        var path = uri.repo.description
        if let revision = uri.revision, revision != .main { path += "@" + revision.segment }
        guard let repo = repos.first(where: { $0.path == path }) else { return uri }
        return HubURI(repo: uri.repo, revision: Revision(repo.commit), path: uri.path)
    }

    private static let shownCountMax = 20

    /// Lines for people: `name`, and a commit each.
    var lines: [[String]] {
        let shown = repos.prefix(Self.shownCountMax).map { ["", "\($0.path) at \($0.commit)"] }
        let left = repos.count - shown.count
        return [["open repos", "\(repos.count)"]] + shown
            + (left > 0 ? [["", "and \(left) more"]] : [])
    }
}
