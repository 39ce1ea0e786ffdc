/// What is asked of buckets, with its parameters decoded.
enum BucketAction: Equatable, Sendable {
    /// Those of a namespace.
    case list
    /// The bucket itself: told of, made, deleted.
    case bucket
    case settings
    case tree(prefix: String)
    case pathsInfo
    case batch
    case events
    case token(XetToken.Scope)
    case resolve(path: String)

    /// Reads what follows the id in `/api/buckets/ID/…`.
    static func api(_ rest: ArraySlice<String>) -> BucketAction? {
        switch (rest.first, rest.count) {
        case (nil, _): .bucket
        case ("settings", 1): .settings
        case ("tree", _): .tree(prefix: rest.dropFirst().joined(separator: "/"))
        case ("paths-info", 1): .pathsInfo
        case ("batch", 1): .batch
        case ("events", 1): .events
        case ("xet-read-token", 1): .token(.read)
        case ("xet-write-token", 1): .token(.write)
        default: nil
        }
    }

    /// Reads what follows the id in `/buckets/ID/resolve/…`.
    static func web(_ rest: ArraySlice<String>) -> BucketAction? {
        guard rest.first == "resolve", rest.count > 1 else { return nil }
        return .resolve(path: rest.dropFirst().joined(separator: "/"))
    }

    /// The name the counters have for it.
    var name: String {
        switch self {
        case .list: "bucket-list"
        case .bucket: "bucket"
        case .settings: "bucket-settings"
        case .tree: "bucket-tree"
        case .pathsInfo: "bucket-paths-info"
        case .batch: "bucket-batch"
        case .events: "bucket-events"
        case .token: "xet-token"
        case .resolve: "bucket-resolve"
        }
    }

    static let names: Set<String> = [
        "bucket-list", "bucket", "bucket-settings", "bucket-tree", "bucket-paths-info",
        "bucket-batch", "bucket-events", "bucket-resolve",
    ]
}

/// A reading of a path about buckets.
struct BucketAddress: Equatable, Sendable {
    let namespace: String
    /// Empty if a namespace is meant.
    let name: String
    let action: BucketAction
    /// What stands around the id in the path, for redirects.
    let before: String
    let after: String

    /// Reads a path whose segments before the id are `before`.
    ///
    /// - Parameters:
    ///   - raw: the segments as they were sent.
    ///   - segments: the same, decoded.
    init?(
        _ raw: [String], _ segments: [String], prefix: Int,
        _ read: (ArraySlice<String>) -> BucketAction?
    ) {
        guard segments.count > prefix else { return nil }
        namespace = segments[prefix]
        before = "/" + raw[..<prefix].map { $0 + "/" }.joined()
        if segments.count == prefix + 1 {
            guard prefix == 2 else { return nil }
            (name, action, after) = ("", .list, "")
            return
        }
        guard let action = read(segments[(prefix + 2)...]) else { return nil }
        name = segments[prefix + 1]
        self.action = action
        after = raw[(prefix + 2)...].map { "/" + $0 }.joined()
    }
}
