import HubClient

/// Paths below a mount of the whole Hub, by the repos they are in.
struct TreePaths {
    /// Paths in each repo that is concerned, by the repo's own path; "" for all of it.
    private(set) var inside: [String: [String]] = [:]
    /// Paths at which none of the repos is.
    private(set) var unknown: [String] = []

    /// - Parameters:
    ///   - paths: From the mount point; "" for everything, and so is none at all. A model's kind may be left
    ///     out.
    ///   - repos: From the mount point: `models/org/name@revision`.
    init(_ paths: [String], among repos: [String]) {
        for path in paths.isEmpty ? [""] : paths {
            let path = Self.whole(path)
            var isKnown = path.isEmpty
            for repo in repos {
                if path.isEmpty || path == repo || repo.hasPrefix(path + "/") {
                    inside[repo, default: []].append("")
                    isKnown = true
                } else if path.hasPrefix(repo + "/") {
                    inside[repo, default: []].append(String(path.dropFirst(repo.count + 1)))
                    isKnown = true
                }
            }
            if !isKnown { unknown.append(path) }
        }
    }

    /// The paths in a repo that are named, none for all of it; nil when it is not concerned.
    func named(in repo: String) -> [String]? {
        inside[repo].map { $0.contains("") ? [] : $0 }
    }

    private static func whole(_ path: String) -> String {
        let names = path.split(separator: "/")
        guard let first = names.first else { return "" }
        let hasKind = RepoKind.listed.contains { $0.apiName == first }
        return ((hasKind ? [] : [RepoKind.model.apiName[...]]) + names).joined(separator: "/")
    }
}
