import HubClient

// A commit too large for the Hub's patience (it gives up after 60 s) goes as several, each on top of
// the one before. Files first and what makes room for them, then what is deleted, so that a series
// that is cut off leaves more than was meant, never less.

extension Prepared {
    /// Operations of one commit.
    static let operationCountMax = 5000
    /// Bytes of files that stand in the commit itself.
    static let inlineBytesMax: UInt64 = 500 << 20

    /// Keeps what fits into one commit.
    ///
    /// - Returns: whether something was left for another.
    mutating func cut(_ modes: [ExactPath: PreuploadVerdict.Mode]) -> Bool {
        if files.isEmpty { return cutDeletions() }
        var room = RoomForFiles(self)
        var inlineBytes: UInt64 = 0
        var count = 0
        for file in files {
            let isInline = file.isStaged && modes[ExactPath(file.path)] != .lfs
            if isInline { inlineBytes += file.size }
            room.make(for: ExactPath(file.path))
            // One file always fits: the Hub takes none into git that is larger than 10 MiB.
            if count > 0,
                count + 1 + room.count > Self.operationCountMax || inlineBytes > Self.inlineBytesMax
            {
                break
            }
            count += 1
        }
        if count == files.count, operationCount <= Self.operationCountMax { return false }
        let all = (files: deletedFiles.count, directories: deletedDirectories.count)
        room = RoomForFiles(self)
        for file in files[..<count] { room.make(for: ExactPath(file.path)) }
        let isWhole = count == files.count
        files.removeSubrange(count...)
        deletedFiles = room.files
        deletedDirectories = room.directories
        return !isWhole || (deletedFiles.count, deletedDirectories.count) != all
    }

    private mutating func cutDeletions() -> Bool {
        guard operationCount > Self.operationCountMax else { return false }
        deletedFiles.removeSubrange(min(Self.operationCountMax, deletedFiles.count)...)
        let room = Self.operationCountMax - deletedFiles.count
        deletedDirectories.removeSubrange(min(room, deletedDirectories.count)...)
        return true
    }
}

/// Deletions without which files cannot be where they are to be: of a folder that a file replaces,
/// and of a file that a folder replaces.
private struct RoomForFiles {
    private(set) var files: [String] = []
    private(set) var directories: [(path: String, oid: TreeOID)] = []
    private var obstacles: [ExactPath: Obstacle] = [:]

    private enum Obstacle {
        case file
        case directory(TreeOID)
    }

    init(_ prepared: Prepared) {
        for path in prepared.deletedFiles { obstacles[ExactPath(path)] = .file }
        for (path, oid) in prepared.deletedDirectories {
            obstacles[ExactPath(path)] = .directory(oid)
        }
    }

    var count: Int { files.count + directories.count }

    mutating func make(for path: ExactPath) {
        for place in [path] + path.parents {
            guard let obstacle = obstacles.removeValue(forKey: place) else { continue }
            switch obstacle {
            case .file: files.append(place.text)
            case .directory(let oid): directories.append((place.text, oid))
            }
        }
    }
}

extension Settlement {
    /// What a part makes of the tree: names it has deleted are no edits any more, and directories
    /// that were moved go on showing what they showed, whatever later parts make of the old place.
    ///
    /// - Parameter files: That the part has deleted, none if it has sent some.
    init(partDeleting files: [String], in tree: FrozenTree) {
        self.init()
        var names: [ExactPath: [Name]] = [:]
        for path in files.map({ ExactPath($0) }) {
            let bytes = path.text.utf8.split(separator: UInt8(ascii: "/")).last ?? []
            names[path.parents.first ?? "", default: []].append(
                Name(name: EntryName(Array(bytes))))
            for parent in path.parents where names[parent] == nil { names[parent] = [] }
        }
        collect(tree.root, at: "", of: tree.base, names)
    }

    private mutating func collect(
        _ directory: FrozenDirectory, at path: String, of base: CommitOID,
        _ names: [ExactPath: [Name]]
    ) {
        let isInPlace = path.isEmpty || directory.isInPlace(at: path)
        let gone = isInPlace ? names[ExactPath(path)] : nil
        if gone != nil || (!isInPlace && directory.redirect != nil) {
            directories.append(
                Directory(
                    number: directory.number.value, path: isInPlace ? path : nil,
                    redirect: directory.redirect,
                    detached: isInPlace ? nil : directory.lower.directory(on: base),
                    whiteouts: gone ?? [], children: []))
        }
        for child in directory.children {
            if case .directory(let below) = child.kind {
                let name = child.name.description
                collect(below, at: path.isEmpty ? name : path + "/" + name, of: base, names)
            }
        }
    }
}

extension Committer {
    /// Whether the base is a part of a commit, of which the rest is not made yet.
    func isInSeries() throws(PublishError) -> Bool {
        try local { () throws(WriteBackError) in try workspace.journal.value(.series) != nil }
    }

    /// Takes out what an earlier part has brought to the Hub already.
    func dropSent(_ prepared: inout Prepared, at base: CommitOID) throws(PublishError) {
        let paths = prepared.files.map { inRepo($0.path) }
        let entries = try ask {
            client.pathsInfo(repo, Revision(base.hex), paths: paths, completion: $0)
        }
        // By bytes: two paths of git's can be one String's equal.
        var found: [[UInt8]: ContentID] = [:]
        for entry in entries {
            if case .file(let content, _) = entry.kind { found[Array(entry.path.utf8)] = content }
        }
        var left: [PreparedFile] = []
        for file in prepared.files {
            if let content = found[Array(inRepo(file.path).utf8)], file.has(content) {
                prepared.unchanged.append(IdentifiedFile(file: file, content: content))
            } else {
                left.append(file)
            }
        }
        prepared.files = left
    }
}
