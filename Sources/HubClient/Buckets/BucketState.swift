import XetCodec

/// All files of a bucket, or of a part of it, at a moment, as a tree of folders.
///
/// A bucket has no commits, but everything above this is built on them. So a state has names like those
/// that git would give it: a folder's is a digest of what is in it, the state's own a digest of the root
/// and of the part. Equal states have equal names, whoever saw them and when. (docs/decisions/0033)
struct BucketState: Sendable {
    /// A folder: its name, and what is directly in it.
    fileprivate struct Folder {
        var tree = TreeOID(words: DigestWords())
        var entries: [TreeEntry] = []
    }

    /// The part that was looked at, "" for all of the bucket.
    let part: String
    /// The state's own name.
    let commit: CommitOID
    /// Newest date of a file, in nanoseconds since 1970; 0 without files.
    let dateNanoseconds: Int64
    /// By path, as bytes: strings that look alike are equal.
    private let folders: [[UInt8]: Folder]
    /// The part is no folder, but the name of a file.
    private let isFile: Bool

    /// - Parameter files: In any order; paths that no file system can show are left out, and a file in
    ///   whose place a folder has to be.
    init(_ files: some Sequence<BucketEntry>, part: String) {
        var folders: [[UInt8]: Folder] = [[]: Folder()]
        var date: Int64 = 0
        var isFile = false
        for file in files where TreePage.isPath(file.path) {
            guard Self.isIn(part, file.path) else {
                isFile = isFile || file.path.utf8.elementsEqual(part.utf8)
                continue
            }
            date = max(date, file.dateNanoseconds ?? 0)
            let parent = Self.parent(of: Array(file.path.utf8)[...])
            folders[Array(parent), default: Folder()].entries.append(file.treeEntry)
            // The folders above, up to one that is there.
            var path = parent
            while !path.isEmpty {
                path = Self.parent(of: path)
                if folders[Array(path)] != nil { break }
                folders[Array(path)] = Folder()
            }
        }
        // Longer paths first: when a folder's turn comes, what is in it has its names.
        let paths = folders.keys.sorted { $0.count > $1.count }
        let isFolder = Set(paths)
        for path in paths {
            guard let tree = folders[path]?.finish(isFolder: isFolder.contains), !path.isEmpty
            else { continue }
            let entry = TreeEntry(
                path: String(decoding: path, as: UTF8.self), kind: .directory(tree))
            folders[Array(Self.parent(of: path[...]))]!.entries.append(entry)
        }
        self.part = part
        self.isFile = isFile
        self.folders = folders
        dateNanoseconds = date
        let name = Array("bucket \(part)\0".utf8) + (folders[[]]?.tree.bytes ?? [])
        commit = CommitOID(bytes: Self.digest(name))!
    }

    /// What is in a folder, or below it.
    ///
    /// - Returns: nil when there is no such folder. The part that was looked at is one, also without files.
    func entries(of path: String, recursive: Bool) -> [TreeEntry]? {
        let start = Array(path.utf8)
        let isEmptyPart = part.utf8.elementsEqual(start) && !isFile
        guard folders[start] != nil || isEmptyPart else { return nil }
        var entries: [TreeEntry] = []
        var left = [start]
        while let folder = left.popLast() {
            for entry in folders[folder]?.entries ?? [] {
                entries.append(entry)
                if recursive, case .directory = entry.kind { left.append(Array(entry.path.utf8)) }
            }
        }
        return entries
    }

    /// Bytes of all files below a folder.
    func byteCount(below path: String) -> UInt64 {
        (entries(of: path, recursive: true) ?? []).reduce(0) { sum, entry in
            if case .file(_, let size) = entry.kind { sum + size } else { sum }
        }
    }

    /// The state that comes of this one when nothing but these paths changes.
    ///
    /// - Parameters:
    ///   - puts: What paths have afterwards.
    ///   - deletions: Paths that are gone.
    func changed(
        puts: [BucketEntry], deletions: [String]
    ) -> BucketState {
        let gone = Set(puts.map { Array($0.path.utf8) } + deletions.map { Array($0.utf8) })
        let kept = folders.values.lazy.flatMap { folder in
            folder.entries.lazy.compactMap { entry -> BucketEntry? in
                guard case .file(.xet(let content), let size) = entry.kind,
                    !gone.contains(Array(entry.path.utf8))
                else { return nil }
                return BucketEntry(
                    path: entry.path, content: content, size: size,
                    dateNanoseconds: entry.modifiedNanoseconds)
            }
        }
        return BucketState(Array(kept) + puts, part: part)
    }

    private static func isIn(_ part: String, _ path: String) -> Bool {
        part.isEmpty || path.utf8.starts(with: (part + "/").utf8)
    }

    private static func parent(of path: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        path.lastIndex(of: UInt8(ascii: "/")).map { path[..<$0] } ?? []
    }

    fileprivate static func digest(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { Array(XetHash(ofChunk: $0).bytes.prefix(20)) }
    }
}

extension BucketState.Folder {
    /// Gives the folder its name; everything in it has one.
    ///
    /// - Parameter isFolder: Whether a path is a folder's: a file of that name cannot be shown.
    /// - Returns: the name.
    fileprivate mutating func finish(isFolder: ([UInt8]) -> Bool) -> TreeOID {
        entries.removeAll { entry in
            if case .file = entry.kind { isFolder(Array(entry.path.utf8)) } else { false }
        }
        entries.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        var text: [UInt8] = []
        for entry in entries {
            switch entry.kind {
            case .directory(let tree): text += Array("d".utf8) + tree.bytes
            case .file(let content, let size):
                if let date = entry.modifiedNanoseconds { text += Array("t\(date) ".utf8) }
                text += Array("f\(size) \(content.hex) ".utf8)
            }
            let name = entry.path.utf8.split(separator: UInt8(ascii: "/")).last ?? []
            text += Array(name) + [0]
        }
        tree = TreeOID(bytes: BucketState.digest(text))!
        return tree
    }
}

/// A file of a bucket.
package struct BucketEntry: Hashable, Sendable {
    /// From the root of the bucket.
    package let path: String
    package let content: XetOID
    /// Bytes.
    package let size: UInt64
    /// When it was changed, as its uploader tells it, or else when it was uploaded; nanoseconds since 1970. nil where
    /// neither is known.
    package let dateNanoseconds: Int64?

    package init(path: String, content: XetOID, size: UInt64, dateNanoseconds: Int64?) {
        self.path = path
        self.content = content
        self.size = size
        self.dateNanoseconds = dateNanoseconds
    }

    /// The file as a row of a repo's tree.
    var treeEntry: TreeEntry {
        TreeEntry(
            path: path, kind: .file(.xet(content), size: size),
            modifiedNanoseconds: dateNanoseconds)
    }
}

extension BucketEntry {
    /// Reads rows of `tree` or `paths-info`. Folders, which some listings have, are left out.
    static func entries(_ bytes: [UInt8]) throws(TreePage.Invalid) -> [BucketEntry] {
        guard let rows = JSON(bytes)?.array else {
            throw TreePage.Invalid(reason: "the listing is not a JSON array")
        }
        var entries: [BucketEntry] = []
        entries.reserveCapacity(rows.count)
        for row in rows where row["type"]?.string == "file" {
            guard let path = row["path"]?.string,
                let content = row["xetHash"]?.string.flatMap({ XetOID(hex: $0) }),
                let size = row["size"]?.unsigned
            else {
                throw TreePage.Invalid(reason: "a file has no path, xetHash or size")
            }
            let date = row["mtime"]?.string ?? row["uploadedAt"]?.string
            entries.append(
                BucketEntry(
                    path: path, content: content, size: size,
                    dateNanoseconds: date.flatMap(nanosecondsSince1970)))
        }
        return entries
    }
}
