import HubClient
import RepoFS

/// What a daemon tells of the repos that a mount of the whole Hub has open.
struct TreeReport: Sendable {
    struct Repo: Sendable {
        /// From the mount point: `models/org/name@revision`.
        let path: String
        let commit: String
        /// Whether it can be edited.
        let isEditable: Bool
        /// Why not, though others can; nil where there is nothing to tell.
        let obstacle: String?
    }

    let repos: [Repo]

    init(_ repos: [HubMount.OpenRepo]) {
        self.repos = repos.map { repo in
            Repo(
                path: repo.path, commit: repo.commit.hex, isEditable: repo.isEdited,
                obstacle: repo.obstacle)
        }
    }

    var json: JSON {
        .object([
            "openRepos": .array(
                repos.map {
                    .object([
                        "path": .string($0.path), "commit": .string($0.commit),
                        "editable": .bool($0.isEditable), "obstacle": .optional($0.obstacle),
                    ])
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
            return Repo(
                path: path, commit: commit, isEditable: row["editable"]?.bool ?? false,
                obstacle: row["obstacle"]?.string)
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
        let shown = repos.prefix(Self.shownCountMax).map { ["", $0.line] }
        let left = repos.count - shown.count
        return [["open repos", "\(repos.count)"]] + shown
            + (left > 0 ? [["", "and \(left) more"]] : [])
    }
}

extension TreeReport.Repo {
    /// For people.
    fileprivate var line: String {
        let access =
            obstacle.map { ", read only: \(printable($0))" } ?? (isEditable ? ", editable" : "")
        return "\(path) at \(commit)\(access)"
    }
}
