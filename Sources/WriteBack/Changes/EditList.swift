package import HubClient

/// Everything that differs from the base, file by file, as people are shown it: directories that were
/// removed or moved are spelt out, and a removal and an addition of one content are one rename.
package struct EditList: Sendable {
    /// One file that differs.
    package struct Edit: Sendable {
        package enum Kind: String, CaseIterable, Sendable {
            case added
            case modified
            case deleted
            case renamed
        }

        package let kind: Kind
        /// From the mounted directory.
        package let path: String
        /// What the base has: at the same path, or where a renamed file was; nil for an added one.
        package let old: BaseFile?
        /// What the mount shows; nil for a deleted one.
        package let new: FileBytes?
    }

    /// The commit the edits are based on.
    package let base: CommitOID
    /// Sorted by path, no path twice.
    package private(set) var edits: [Edit] = []
    /// What stays in the workspace, and why.
    package let localOnly: [LocalOnly]

    /// - Parameter source: Lists directories that were removed.
    init(
        _ changes: ChangeList, base: CommitOID, source: any BaseSource
    ) throws(PublishError) {
        self.base = base
        localOnly = changes.localOnly
        var added: [(path: String, new: FileBytes)] = []
        var deleted: [BaseFile] = []
        for change in changes.changes {
            switch change.kind {
            case .added(let file, _): added.append((change.path, FileBytes(file)))
            case .moved(let file, _): added.append((change.path, .base(file)))
            case .modified(let file, _, let original):
                edits.append(
                    Edit(kind: .modified, path: change.path, old: original, new: FileBytes(file)))
            case .deleted(let file): deleted.append(file)
            case .deletedDirectory:
                try Self.collect(change.path, at: base, source, into: &deleted)
            }
        }
        pair(added, deleted)
        edits.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    /// Bytes that a commit sends: the whole files.
    package var uploadBytes: UInt64 {
        edits.reduce(0) { $0 + ($1.new?.uploadBytes ?? 0) }
    }

    /// Bytes of the base that a commit reads first, as far as the cache does not have them.
    package var neededBaseBytes: UInt64 {
        edits.reduce(0) { $0 + ($1.new?.neededBaseBytes ?? 0) }
    }

    /// The edits of these paths and of what lies below them; of none, all.
    package func edits(at paths: [String]) -> [Edit] {
        if paths.isEmpty || paths.contains("") { return edits }
        return edits.filter { edit in
            paths.contains { path in
                ChangeList.isAt(edit.path, orBelow: path)
                    || edit.old.map { ChangeList.isAt($0.path, orBelow: path) } == true
            }
        }
    }

    /// Every file of a directory of the base.
    private static func collect(
        _ directory: String, at commit: CommitOID, _ source: any BaseSource,
        into files: inout [BaseFile]
    ) throws(PublishError) {
        let listing = try source.listing(of: directory, at: commit)
        for index in 0..<listing.count {
            let path = directory + "/" + listing.name(at: index).description
            switch listing.kind(at: index) {
            case .directory: try collect(path, at: commit, source, into: &files)
            case .file(let content, let size):
                files.append(BaseFile(commit: commit, path: path, content: content, size: size))
            }
        }
    }

    /// Makes renames of what is gone at one path and there at another. Empty files are too many of a
    /// kind to be told apart.
    private mutating func pair(
        _ added: [(path: String, new: FileBytes)], _ deleted: [BaseFile]
    ) {
        var byPath: [String: BaseFile] = [:]
        for file in deleted { byPath[file.path] = file }
        var unpaired: [(path: String, new: FileBytes)] = []
        for addition in added {
            // The tree knows where the file was.
            guard case .base(let file) = addition.new, file.size > 0,
                let old = byPath[file.path], old.content == file.content
            else {
                unpaired.append(addition)
                continue
            }
            byPath[file.path] = nil
            edits.append(Edit(kind: .renamed, path: addition.path, old: old, new: addition.new))
        }
        var byContent: [ContentID: [BaseFile]] = [:]
        for file in deleted.reversed() where byPath[file.path] != nil && file.size > 0 {
            byContent[file.content, default: []].append(file)
        }
        for (path, new) in unpaired {
            guard let content = new.content, let old = byContent[content]?.popLast() else {
                edits.append(Edit(kind: .added, path: path, old: nil, new: new))
                continue
            }
            byPath[old.path] = nil
            edits.append(Edit(kind: .renamed, path: path, old: old, new: new))
        }
        for file in deleted where byPath[file.path] != nil {
            edits.append(Edit(kind: .deleted, path: file.path, old: file, new: nil))
        }
    }
}
