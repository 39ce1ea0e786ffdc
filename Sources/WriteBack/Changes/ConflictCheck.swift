import HubClient

/// Compares what we change with what somebody else has changed: pure.
struct ConflictCheck {
    /// What our edits make of a path.
    enum Edit: Hashable, Sendable {
        /// A file; its identity is nil while it is not known.
        case put(ContentID?)
        case delete
        /// A directory with everything in it.
        case deleteDirectory
    }

    /// Paths at which both sides did something else; sorted.
    private(set) var conflicts: [String] = []
    /// Those where one side has a file and the other needs a folder: neither can replace the other.
    private(set) var clashes: Set<String> = []
    /// Our paths at which the other side did the same: nothing is left to do there.
    private(set) var redundant: Set<String> = []

    /// - Parameter edits: Ours, by path from the mounted directory.
    init(_ edits: [String: Edit], against theirs: TreeDifference) {
        var disputed: Set<String> = []
        let folders = Set(edits.filter { $0.value == .deleteDirectory }.map(\.key))
        var putFolders: Set<String> = []
        for (path, edit) in edits {
            if case .put = edit { putFolders.formUnion(Self.parents(of: path)) }
        }
        for file in theirs.files {
            switch (edits[file.path], file.content) {
            case (.put(let ours?)?, let content?) where ours == content,
                (.put(let ours?)?, let content?) where ours.hex == content.hex:
                redundant.insert(file.path)
            case (.delete?, nil): redundant.insert(file.path)
            case (.put?, _), (.delete?, _): disputed.insert(file.path)
            case (.deleteDirectory?, _), (nil, _): break
            }
            // A file of theirs in a folder that we delete.
            let parents = Self.parents(of: file.path)
            for folder in parents where folders.contains(folder) {
                if file.content != nil { disputed.insert(folder) }
            }
            guard file.content != nil else { continue }
            // Theirs is a file where ours needs a folder, or the other way round.
            if putFolders.contains(file.path) { clashes.insert(file.path) }
            for parent in parents {
                if case .put? = edits[parent] { clashes.insert(parent) }
            }
        }
        for folder in theirs.removedDirectories where folders.contains(folder) {
            redundant.insert(folder)
        }
        conflicts = disputed.union(clashes).subtracting(redundant).sorted()
    }

    private static func parents(of path: String) -> [String] {
        var parents: [String] = []
        var rest = path[...]
        while let slash = rest.lastIndex(of: "/") {
            rest = rest[..<slash]
            parents.append(String(rest))
        }
        return parents
    }
}
