import HubClient

/// What is known of directories by their paths, from memory alone: for guesses, which must neither
/// wait nor ask.
extension SnapshotStore {
    /// The directory that a file is in, and the file's place there.
    func place(of file: ContentLocation) -> (directory: ListedDirectory, index: Int)? {
        let (parent, name) = file.path.splitAtLastSlash
        guard let listing = listingInMemory(parent, at: file.commit),
            let index = listing.index(of: name)
        else { return nil }
        let directory = ListedDirectory(
            repo: file.repo, commit: file.commit, path: String(parent), listing: listing)
        return (directory, index)
    }

    /// The next directory behind this one in the directory that both are in, if it is in memory.
    func next(after directory: ListedDirectory) -> ListedDirectory? {
        guard !directory.path.isEmpty else { return nil }
        let (parent, name) = directory.path.splitAtLastSlash
        guard let listing = listingInMemory(parent, at: directory.commit),
            let index = listing.index(of: name),
            let next = (index + 1..<listing.count).first(where: { listing.fileSize(at: $0) == nil })
        else { return nil }
        let path =
            parent.isEmpty ? listing.name(at: next) : parent + "/" + listing.name(at: next)
        guard case .directory(let tree) = listing.kind(at: next),
            let found = listingInMemory(.tree(tree))
        else { return nil }
        return ListedDirectory(
            repo: directory.repo, commit: directory.commit, path: path, listing: found)
    }

    /// Walks down from the root, or from where a mount of a sub-path starts.
    private func listingInMemory(_ path: Substring, at commit: CommitOID) -> DirectoryListing? {
        var root = path[..<path.startIndex]
        while true {
            if let listing = listingInMemory(.path(commit, Array(root.utf8))) {
                let rest = path[root.endIndex...].drop { $0 == "/" }
                return descend(rest, from: listing)
            }
            guard root.endIndex < path.endIndex else { return nil }
            let rest = path[root.endIndex...].drop { $0 == "/" }
            root = path[..<(rest.firstIndex(of: "/") ?? path.endIndex)]
        }
    }

    private func descend(
        _ path: Substring, from start: DirectoryListing
    ) -> DirectoryListing? {
        var listing = start
        for name in path.split(separator: "/") {
            guard let index = listing.index(of: name),
                case .directory(let tree) = listing.kind(at: index),
                let next = listingInMemory(.tree(tree))
            else { return nil }
            listing = next
        }
        return listing
    }
}

extension String {
    /// What stands before the last slash and behind it; all of it is the name when there is none.
    var splitAtLastSlash: (parent: Substring, name: Substring) {
        guard let slash = utf8.lastIndex(of: UInt8(ascii: "/")) else {
            return (self[..<startIndex], self[...])
        }
        return (self[..<slash], self[index(after: slash)...])
    }
}
