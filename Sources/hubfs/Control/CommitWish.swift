import HubClient
import WriteBack

/// A commit as somebody asks for it; what is nil is as the mount has it.
struct CommitWish: Sendable {
    var title: String?
    var description = ""
    var opensPullRequest: Bool?
    var onConflict: ConflictPolicy?
    /// Where to commit from now on.
    var branch: String?
    var createsBranch = false
    /// From the mounted directory; none for everything.
    var paths: [String] = []

    init() {}

    /// Reads the members of a control question; what is missing or unknown is nil.
    init(_ json: JSON) {
        title = json["title"]?.string
        description = json["description"]?.string ?? ""
        opensPullRequest = json["opensPullRequest"]?.bool
        branch = json["branch"]?.string
        createsBranch = json["createsBranch"]?.bool ?? false
        paths = json["paths"]?.array?.compactMap(\.string) ?? []
        onConflict = json["onConflict"]?.string.flatMap(ConflictPolicy.init(rawValue:))
    }

    var members: [String: JSON] {
        var members: [String: JSON] = [
            "title": .optional(title), "description": .string(description),
            "onConflict": .optional(onConflict?.rawValue), "branch": .optional(branch),
            "createsBranch": .bool(createsBranch), "paths": .array(paths.map { .string($0) }),
        ]
        if let opensPullRequest { members["opensPullRequest"] = .bool(opensPullRequest) }
        return members
    }

    /// What is asked for, over what the mount does by itself.
    func over(_ usual: CommitRequest) -> CommitRequest {
        var request = usual
        if let title { request.title = title }
        if !description.isEmpty { request.description = description }
        if let opensPullRequest { request.opensPullRequest = opensPullRequest }
        if let onConflict { request.onConflict = onConflict }
        request.branch = branch
        request.createsBranch = createsBranch
        request.paths = paths
        return request
    }
}
