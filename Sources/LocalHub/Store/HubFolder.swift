import Foundation

/// Where things lie in the folder that is the Hub.
///
/// ```
/// ROOT/hub.sqlite                       tokens, repos, grants, settings
/// ROOT/models/org/name.git/             a bare git repository (datasets/, spaces/ alike)
/// ROOT/models/org/name.git/lfs/objects/ab/cd/SHA256     its LFS objects, in git-lfs's own layout
/// ROOT/xet/xorbs/ab/HASH                a xorb, without a footer
/// ROOT/incoming/                        uploads on their way; emptied of leftovers at start
/// ROOT/incoming/multipart-ID/           an LFS object that comes in parts
/// ROOT/localhub.json                    the running server's addresses, while it runs
/// ```
package struct HubFolder: Sendable {
    /// The absolute path of the folder.
    package let root: String

    package init(root: String) {
        self.root = URL(filePath: root).standardizedFileURL.path(percentEncoded: false)
            .trimmingSuffix("/")
    }

    package var database: String { root + "/hub.sqlite" }
    package var incoming: String { root + "/incoming" }
    var xorbs: String { root + "/xet/xorbs" }
    package var runFile: String { root + "/localhub.json" }

    /// The bare repository of a repo.
    package func repository(_ kind: RepoKind, _ name: RepoName) -> String {
        "\(root)/\(kind.plural)/\(name.namespace)/\(name.name).git"
    }

    /// Removes what uploads and commits left that never ended. Younger things may belong to an
    /// import that runs beside the server.
    func removeLeftovers(olderThan age: TimeInterval = 86_400) throws {
        let files = FileManager.default
        MultipartStore(incoming: incoming).removeExpired()
        for name in try files.contentsOfDirectory(atPath: incoming) {
            let path = incoming + "/" + name
            let changed = try? files.attributesOfItem(atPath: path)[.modificationDate] as? Date
            guard let changed, changed.timeIntervalSinceNow < -age else { continue }
            try files.removeItem(atPath: path)
        }
    }

    /// Makes the folder and the places every Hub has.
    func create() throws {
        for folder in [root, incoming] + RepoKind.allCases.map({ "\(root)/\($0.plural)" }) {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        }
    }
}

extension String {
    /// The text without `suffix` at its end, if it stands there.
    func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) && count > suffix.count ? String(dropLast(suffix.count)) : self
    }
}
