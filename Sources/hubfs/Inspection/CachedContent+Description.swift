import HubClient
import RepoCache

extension CachedContent {
    /// Where the content was found: one path, and how many more there are.
    var shownPath: String {
        guard let first = paths.first else { return "(unknown)" }
        let more = paths.count > 1 ? " and \(paths.count - 1) more" : ""
        return "\(first.repo)/\(first.path)\(more)"
    }

    /// What scripts see of the content.
    var json: JSON {
        .object([
            "oid": .string(content.digest), "size": .count(size), "cached": .count(presentBytes),
            "diskBytes": .count(diskBytes), "isSealed": .bool(isSealed),
            "lastUseSeconds": lastUse.map { .integer($0) } ?? .null,
            "paths": .array(
                paths.map { .object(["repo": .string($0.repo), "path": .string($0.path)]) }),
        ])
    }
}

extension CachedPath {
    /// True when the path is what a URI names, or lies below it. Revisions do not count.
    func isIn(_ uri: HubURI) -> Bool {
        guard repo == uri.repo.description else { return false }
        return uri.path.isEmpty || path == uri.path || path.hasPrefix(uri.path + "/")
    }
}
