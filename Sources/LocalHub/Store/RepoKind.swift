/// The kinds of repo this Hub keeps, in the spellings the API uses for them.
package enum RepoKind: String, CaseIterable, Codable, Sendable {
    case model
    case dataset
    case space
    case kernel

    /// The word in API paths (`/api/models/…`) and the folder below the Hub's root.
    package var plural: String {
        switch self {
        case .model: "models"
        case .dataset: "datasets"
        case .space: "spaces"
        case .kernel: "kernels"
        }
    }

    /// What stands before the repo id in web, resolve and git paths; empty for models.
    package var webPrefix: String {
        switch self {
        case .model: ""
        case .dataset: "datasets/"
        case .space: "spaces/"
        case .kernel: "kernels/"
        }
    }

    package init?(plural: String) {
        guard let kind = Self.allCases.first(where: { $0.plural == plural }) else { return nil }
        self = kind
    }
}
