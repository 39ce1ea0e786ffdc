package import HubClient

/// What somebody else changed between two commits of the branch.
///
/// Only directories whose tree oids differ are listed.
package struct TreeDifference: Sendable {
    /// A file that is another one, or gone.
    package struct File: Hashable, Sendable {
        /// From the mounted directory.
        package let path: String
        /// What the later commit has there; nil when it is gone.
        package let content: ContentID?
        /// Its bytes; 0 when it is gone.
        package let size: UInt64
        /// Its date, where the later commit tells one.
        let modifiedNanoseconds: Int64?
        /// What the earlier commit has there; nil when it has no such file.
        package let old: Old?

        package init(
            path: String, content: ContentID?, size: UInt64 = 0, modifiedNanoseconds: Int64? = nil,
            old: Old? = nil
        ) {
            self.path = path
            self.content = content
            self.size = size
            self.modifiedNanoseconds = modifiedNanoseconds
            self.old = old
        }
    }

    /// A file of the earlier commit.
    package struct Old: Hashable, Sendable {
        package let content: ContentID
        package let size: UInt64
        /// Its date, where that commit tells one.
        let modifiedNanoseconds: Int64?

        init(_ content: ContentID, size: UInt64, modifiedNanoseconds: Int64? = nil) {
            self.content = content
            self.size = size
            self.modifiedNanoseconds = modifiedNanoseconds
        }
    }

    package private(set) var files: [File] = []
    /// Directories that the later commit does not have.
    package private(set) var removedDirectories: [String] = []

    /// Directories that the earlier commit does not have.
    package private(set) var addedDirectories: [String] = []

    /// Files that both commits have, where it matters what they are.
    private(set) var same: [File] = []

    package init() {}

    package var isEmpty: Bool { files.isEmpty && removedDirectories.isEmpty }

    mutating func add(_ file: File) { files.append(file) }

    mutating func addSame(_ file: File) { same.append(file) }

    mutating func addRemovedDirectory(_ path: String) { removedDirectories.append(path) }

    package init(
        from old: CommitOID, to new: CommitOID, source: any BaseSource
    ) throws(PublishError) {
        try compare(
            try source.listing(of: "", at: old), try source.listing(of: "", at: new), at: "",
            from: old, to: new, source)
    }

    /// Counts as removed no directory that a still later commit has again.
    ///
    /// - Parameter paths: What that commit put or deleted.
    mutating func leaveOutDirectories(
        above paths: Set<ExactPath>, thereAt commit: CommitOID, _ source: any BaseSource
    ) throws(PublishError) {
        let mayBeThere = Set(paths.flatMap(\.parents))
        var gone: Set<ExactPath> = []
        // A directory comes before what is in it.
        for path in removedDirectories.map({ ExactPath($0) }) {
            let parent = path.parents.first
            if mayBeThere.contains(path), parent.map({ !gone.contains($0) }) ?? true {
                let listing = try source.listing(of: parent?.text ?? "", at: commit)
                let name = path.text.utf8.split(separator: UInt8(ascii: "/")).last!
                if let index = listing.index(of: EntryName(Array(name))),
                    case .directory = listing.kind(at: index)
                {
                    continue
                }
            }
            gone.insert(path)
        }
        removedDirectories = removedDirectories.filter { gone.contains(ExactPath($0)) }
    }

    private mutating func compare(
        _ old: any BaseListing, _ new: any BaseListing, at path: String, from: CommitOID,
        to: CommitOID, _ source: any BaseSource
    ) throws(PublishError) {
        for index in 0..<old.count {
            let name = old.name(at: index)
            let below = Self.join(path, name)
            let newIndex = new.index(of: name)
            let date = newIndex.flatMap { new.modifiedNanoseconds(at: $0) }
            switch (old.kind(at: index), newIndex.map { new.kind(at: $0) }) {
            case (.directory(let oid), .directory(let other)):
                guard oid != other else { continue }
                try compare(
                    try source.listing(of: below, at: from), try source.listing(of: below, at: to),
                    at: below, from: from, to: to, source)
            case (.directory, let kind):
                addRemovedDirectory(below)
                try addAll(below, at: from, isThere: false, source)
                if case .file(let content, let size)? = kind {
                    files.append(
                        File(path: below, content: content, size: size, modifiedNanoseconds: date))
                }
            case (.file(let content, let oldSize), .file(let other, let size)):
                let old = Old(
                    content, size: oldSize, modifiedNanoseconds: old.modifiedNanoseconds(at: index))
                if content != other {
                    files.append(
                        File(
                            path: below, content: other, size: size, modifiedNanoseconds: date,
                            old: old))
                }
            case (.file(let content, let size), .directory):
                let old = Old(
                    content, size: size, modifiedNanoseconds: old.modifiedNanoseconds(at: index))
                files.append(File(path: below, content: nil, old: old))
                try addAll(below, at: to, isThere: true, source)
            case (.file(let content, let size), nil):
                let old = Old(
                    content, size: size, modifiedNanoseconds: old.modifiedNanoseconds(at: index))
                files.append(File(path: below, content: nil, old: old))
            }
        }
        for index in 0..<new.count where old.index(of: new.name(at: index)) == nil {
            let below = Self.join(path, new.name(at: index))
            switch new.kind(at: index) {
            case .file(let content, let size):
                files.append(
                    File(
                        path: below, content: content, size: size,
                        modifiedNanoseconds: new.modifiedNanoseconds(at: index)))
            case .directory: try addAll(below, at: to, isThere: true, source)
            }
        }
    }

    /// Adds a directory of the later commit's, with everything in it.
    mutating func addFolder(
        _ path: String, of commit: CommitOID, _ source: any BaseSource
    ) throws(PublishError) {
        try addAll(path, at: commit, isThere: true, source)
    }

    /// Every file below a directory that only one of the commits has.
    private mutating func addAll(
        _ path: String, at commit: CommitOID, isThere: Bool, _ source: any BaseSource
    ) throws(PublishError) {
        if isThere { addedDirectories.append(path) }
        let listing = try source.listing(of: path, at: commit)
        for index in 0..<listing.count {
            let below = Self.join(path, listing.name(at: index))
            switch listing.kind(at: index) {
            case .directory:
                if !isThere { addRemovedDirectory(below) }
                try addAll(below, at: commit, isThere: isThere, source)
            case .file(let content, let size):
                let date = listing.modifiedNanoseconds(at: index)
                files.append(
                    isThere
                        ? File(path: below, content: content, size: size, modifiedNanoseconds: date)
                        : File(
                            path: below, content: nil,
                            old: Old(content, size: size, modifiedNanoseconds: date)))
            }
        }
    }

    private static func join(_ directory: String, _ name: EntryName) -> String {
        directory.isEmpty ? name.description : directory + "/" + name.description
    }
}
