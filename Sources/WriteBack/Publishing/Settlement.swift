import HubClient

/// What a commit makes of the tree: enough to let the workspace stand on it, also after a restart.
///
/// Paths are from the mounted directory.
struct Settlement: Codable, Sendable {
    /// A directory as it was frozen.
    struct Directory: Codable, Sendable {
        let number: UInt64
        /// Where the commit has it; nil when nothing of it is at the Hub.
        let path: String?
        /// The base's directory that showed through it before.
        let redirect: String?
        /// Names that were gone, as bytes.
        let whiteouts: [[UInt8]]
        /// Names that were the workspace's own and are the commit's now, with their objects.
        let children: [Child]
    }

    struct Child: Codable, Sendable {
        let number: UInt64
        let name: [UInt8]
    }

    /// A file whose bytes the commit has.
    struct File: Codable, Sendable {
        let number: UInt64
        let path: String
        /// 40 digits: a git blob; 64: an LFS object.
        let content: String
        let size: UInt64
    }

    var directories: [Directory] = []
    var files: [File] = []

    /// - Parameters:
    ///   - files: What is at the Hub after the commit, by its object.
    ///   - kept: Directories of which something is at the Hub, by path.
    init(_ tree: FrozenTree, files: [File], kept: Set<String>) {
        self.files = files
        let committed = Set(files.map(\.number))
        collect(tree.root, at: "", committed, kept)
    }

    private mutating func collect(
        _ directory: FrozenDirectory, at path: String, _ committed: Set<UInt64>,
        _ kept: Set<String>
    ) {
        var children: [Child] = []
        for child in directory.children {
            let childPath =
                path.isEmpty ? child.name.description : path + "/" + child.name.description
            var isCommitted = false
            switch child.kind {
            case .directory(let below):
                isCommitted = kept.contains(childPath)
                collect(below, at: childPath, committed, kept)
            case .file: isCommitted = committed.contains(child.number.value)
            case .link: break
            }
            if isCommitted {
                children.append(Child(number: child.number.value, name: child.name.bytes))
            }
        }
        directories.append(
            Directory(
                number: directory.number.value,
                path: path.isEmpty || kept.contains(path) ? path : nil,
                redirect: directory.redirect, whiteouts: directory.whiteouts.map(\.bytes),
                children: children))
    }
}
