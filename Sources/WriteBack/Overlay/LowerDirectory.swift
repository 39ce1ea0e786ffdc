package import HubClient

/// A directory of the Hub, as one commit has it.
package struct BaseDirectory: Hashable, Sendable {
    package let commit: CommitOID
    /// From the mounted directory.
    package let path: String

    package init(commit: CommitOID, path: String) {
        self.commit = commit
        self.path = path
    }

    // Names that are one text to people can be two at the Hub.
    package static func == (left: Self, right: Self) -> Bool {
        left.commit == right.commit && ExactPath(left.path) == ExactPath(right.path)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(commit)
        hasher.combine(ExactPath(path))
    }
}

/// What shows through a directory of the tree, below the children of its own.
package enum LowerDirectory: Hashable, Sendable {
    /// Nothing: all that is in it was made here.
    case none
    /// The directory the base has at a path from the mounted one. Follows the base.
    case base(String)
    /// A directory as an earlier commit had it, that is no longer at the Hub: it was renamed to what
    /// is never published, and its removal was.
    case commit(BaseDirectory)

    /// - Parameter path: In the base; nil for nothing.
    init(redirect path: String?) {
        self = path.map { .base($0) } ?? .none
    }

    /// The base's path that shows; nil when nothing of the base does.
    var redirect: String? {
        if case .base(let path) = self { path } else { nil }
    }

    /// The path it has, or had, at the Hub; nil when nothing shows.
    var origin: String? {
        switch self {
        case .none: nil
        case .base(let path): path
        case .commit(let directory): directory.path
        }
    }

    /// Where it is listed while the tree stands on `base`; nil when nothing shows.
    package func directory(on base: CommitOID) -> BaseDirectory? {
        switch self {
        case .none: nil
        case .base(let path): BaseDirectory(commit: base, path: path)
        case .commit(let directory): directory
        }
    }

    /// What shows through a directory in it that was not touched.
    func child(_ name: EntryName) -> LowerDirectory {
        child(path: name.description)
    }

    /// - Parameter path: From this directory.
    func child(path: String) -> LowerDirectory {
        switch self {
        case .none: .none
        case .base(let above): .base(Self.join(above, path))
        case .commit(let above):
            .commit(BaseDirectory(commit: above.commit, path: Self.join(above.path, path)))
        }
    }

    package static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.none, .none): true
        case (.base(let left), .base(let right)): ExactPath(left) == ExactPath(right)
        case (.commit(let left), .commit(let right)): left == right
        case (.none, _), (.base, _), (.commit, _): false
        }
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .none: hasher.combine(0)
        case .base(let path): hasher.combine(ExactPath(path))
        case .commit(let directory): hasher.combine(directory)
        }
    }

    private static func join(_ directory: String, _ path: String) -> String {
        directory.isEmpty ? path : directory + "/" + path
    }
}

extension LowerDirectory: CustomStringConvertible {
    package var description: String {
        switch self {
        case .none: "nothing"
        case .base(let path): "\"\(path)\""
        case .commit(let directory): "\"\(directory.path)\" as of commit \(directory.commit)"
        }
    }
}
