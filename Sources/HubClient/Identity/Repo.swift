/// The kinds of repo the Hub serves.
package enum RepoKind: String, Hashable, Sendable, CaseIterable {
    case model
    case dataset
    case space
    /// Compiled functions for accelerators; their versions are branches, `v1`, `v2`.
    case kernel
    /// Files without git: no commits, no branches. What hubfs calls its commits are states that it has
    /// seen (`BucketState`).
    case bucket

    /// Those of which the Hub lists an account's.
    package static let listed: [RepoKind] = [.model, .dataset, .space]

    /// The plural used in API paths (`/api/models/…`) and in `hf://` URIs.
    package var apiName: String { rawValue + "s" }

    /// What precedes the repo id in web, resolve and git URLs: nothing for models.
    package var urlPrefix: String { self == .model ? "" : apiName + "/" }
}

/// A repo as the Hub names it: its kind and `namespace/name`, or a legacy single-segment name.
package struct RepoID: Hashable, Sendable, CustomStringConvertible {
    package let kind: RepoKind
    /// `namespace/name`, or one segment for legacy models such as `gpt2`.
    package let name: String

    package init(kind: RepoKind, name: String) {
        self.kind = kind
        self.name = name
    }

    /// `models/ns/name`, the way log lines and error messages show a repo.
    package var description: String { "\(kind.apiName)/\(name)" }
}

/// A branch, tag, commit or ref as the user writes it, not yet resolved.
package struct Revision: Hashable, Sendable, CustomStringConvertible {
    package let name: String

    package init(_ name: String) { self.name = name }

    /// The branch every repo starts with.
    package static let main = Revision("main")

    package var description: String { name }
}
