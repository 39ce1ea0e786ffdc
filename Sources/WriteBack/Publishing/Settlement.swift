import HubClient

/// What a commit makes of the tree: enough to let the workspace stand on it, also after a restart.
///
/// Paths are from the mounted directory.
struct Settlement: Codable, Sendable {
    /// A directory as it was frozen.
    struct Directory: Codable, Sendable {
        let number: UInt64
        /// Where the commit has it; nil when nothing of it is at the Hub.
        var path: String?
        /// The base's directory that showed through it before.
        let redirect: String?
        /// What goes on showing through it, as it was: it stays in the workspace.
        let detached: BaseDirectory?
        /// Names that were gone.
        let whiteouts: [Name]
        /// Names that were the workspace's own and are the commit's now, with their objects.
        let children: [Child]

        /// What shows through it from now on.
        var lower: LowerDirectory {
            detached.map { .commit($0) } ?? LowerDirectory(redirect: path)
        }
    }

    struct Name: Sendable {
        let name: EntryName
    }

    struct Child: Sendable {
        let number: UInt64
        let name: EntryName
    }

    /// A file whose bytes the commit has.
    struct File: Sendable {
        let number: UInt64
        let path: String
        let content: ContentID
        let size: UInt64
    }

    var directories: [Directory] = []
    var files: [File] = []

    /// What a part of a commit that sends files makes of the tree: nothing, until the last part.
    init() {}

    /// Where directories are expected of which no file is in the commit: they are there only if
    /// something of the commit before is left in them. Without the mounted directory itself.
    var doubtfulDirectories: [String] {
        var certain: Set<ExactPath> = [""]
        for file in files { certain.formUnion(ExactPath(file.path).parents) }
        return directories.compactMap(\.path).filter { !certain.contains(ExactPath($0)) }
    }

    /// Lets directories be the workspace's own that the commit does not have.
    func losing(_ doubtful: [String], but found: [String]) -> Settlement {
        let gone = Set(doubtful.map { ExactPath($0) }).subtracting(found.map { ExactPath($0) })
        var settlement = self
        for index in directories.indices {
            if let path = directories[index].path, gone.contains(ExactPath(path)) {
                settlement.directories[index].path = nil
            }
        }
        return settlement
    }

    /// - Parameters:
    ///   - files: What is at the Hub after the commit, by its object.
    ///   - kept: Directories of which something is at the Hub, by path.
    ///   - selection: Has what stays in the workspace, and what stays an edit.
    init(_ tree: FrozenTree, files: [File], kept: Set<ExactPath>, _ selection: ChangeSelection) {
        self.files = files
        let committed = Set(files.map(\.number))
        collect(tree.root, at: "", of: tree.base, committed, kept, selection)
    }

    private static func join(_ directory: String, _ name: String) -> String {
        directory.isEmpty ? name : directory + "/" + name
    }

    private mutating func collect(
        _ directory: FrozenDirectory, at path: String, of base: CommitOID,
        _ committed: Set<UInt64>,
        _ kept: Set<ExactPath>, _ selection: ChangeSelection
    ) {
        var children: [Child] = []
        for child in directory.children {
            let childPath = Self.join(path, child.name.description)
            var isCommitted = false
            switch child.kind {
            case .directory where selection.untouched.contains(ExactPath(childPath)): break
            case .directory(let below):
                isCommitted = kept.contains(ExactPath(childPath))
                collect(below, at: childPath, of: base, committed, kept, selection)
            case .file: isCommitted = committed.contains(child.number.value)
            case .link: break
            }
            // A name that was taken over is the base's now, whether or not it had to be committed.
            if isCommitted || directory.whiteouts.contains(child.name) {
                children.append(Child(number: child.number.value, name: child.name))
            }
        }
        let gone = directory.whiteouts.filter { name in
            let path = Self.join(path, name.description)
            return !selection.keptWhiteouts.contains(ExactPath(path))
        }
        let isPublished = path.isEmpty || kept.contains(ExactPath(path))
        let isDetached = !isPublished && selection.list.detached.contains(directory.number)
        directories.append(
            Directory(
                number: directory.number.value, path: isPublished ? path : nil,
                redirect: directory.redirect,
                detached: isDetached ? directory.lower.directory(on: base) : nil,
                // What is gone of it is in its commit all the same.
                whiteouts: isDetached ? [] : gone.map(Name.init), children: children))
    }
}
