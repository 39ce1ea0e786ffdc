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
    private(set) var clashes: Set<ExactPath> = []
    /// Our paths at which the other side did the same: nothing is left to do there.
    private(set) var redundant: Set<ExactPath> = []

    /// - Parameter edits: Ours, by path from the mounted directory.
    init(_ edits: [ExactPath: Edit], against theirs: TreeDifference) {
        var disputed: Set<ExactPath> = []
        let folders = Set(edits.filter { $0.value == .deleteDirectory }.map(\.key))
        var putFolders: Set<ExactPath> = []
        for (path, edit) in edits {
            if case .put = edit { putFolders.formUnion(path.parents) }
        }
        for file in theirs.files {
            let path = ExactPath(file.path)
            switch (edits[path], file.content) {
            case (.put(let ours?)?, let content?) where ours == content,
                (.put(let ours?)?, let content?) where ours.hex == content.hex:
                redundant.insert(path)
            case (.delete?, nil): redundant.insert(path)
            case (.put?, _), (.delete?, _): disputed.insert(path)
            case (.deleteDirectory?, _), (nil, _): break
            }
            // A file of theirs in a folder that we delete.
            let parents = path.parents
            for folder in parents where folders.contains(folder) {
                if file.content != nil { disputed.insert(folder) }
            }
            guard file.content != nil else { continue }
            // Theirs is a file where ours needs a folder, or the other way round.
            if putFolders.contains(path) { clashes.insert(path) }
            for parent in parents {
                if case .put? = edits[parent] { clashes.insert(parent) }
            }
        }
        for folder in theirs.removedDirectories.map({ ExactPath($0) })
        where folders.contains(folder) {
            redundant.insert(folder)
        }
        conflicts = disputed.union(clashes).subtracting(redundant).map(\.text).sorted()
    }
}
