import HubClient
import Platform

/// Finds which of the files that were read once a commit has, with the same bytes at the same paths.
///
/// So nothing is ever asked for under the name of something else, whatever a recording says. Directories that are not here
/// are asked for, as guesses.
final class FileSearch: Sendable {
    /// By the file's place in the list.
    typealias Completion = @Sendable ([Int: ContentLocation]) -> Void

    private struct State {
        var found: [Int: ContentLocation] = [:]
        /// Directories that are looked at.
        var openCount = 1
    }

    /// Directories looked at; what is in others is not found.
    static let directoryCountMax = 256

    private let files: [ReadOrder.File]
    private let snapshot: RepoSnapshot
    private let snapshots: SnapshotStore
    private let completion: Completion
    /// Files by the directory they are in.
    private let wanted: [String: [Int]]
    /// Directories on the way to them, by the directory they are in.
    private let folders: [String: Set<String>]
    private let state = Guarded(State(), rank: .leaf)

    /// - Parameters:
    ///   - root: The mounted directory: only what is below it is looked for.
    ///   - completion: Called once, on any thread, possibly before `start` returns.
    init(
        _ files: [ReadOrder.File], below root: String, of snapshot: RepoSnapshot,
        in snapshots: SnapshotStore, completion: @escaping Completion
    ) {
        self.files = files
        self.snapshot = snapshot
        self.snapshots = snapshots
        self.completion = completion
        var wanted: [String: [Int]] = [:]
        var folders: [String: Set<String>] = [:]
        var seen: Set<String> = [root]
        for (index, file) in files.enumerated() {
            guard root.isEmpty || file.path.hasPrefix(root + "/") else { continue }
            var path = String(file.path.splitAtLastSlash.parent)
            guard seen.contains(path) || seen.count < Self.directoryCountMax else { continue }
            wanted[path, default: []].append(index)
            while path != root, seen.insert(path).inserted {
                let parent = String(path.splitAtLastSlash.parent)
                folders[parent, default: []].insert(path)
                path = parent
            }
        }
        self.wanted = wanted
        self.folders = folders
    }

    func start(at root: String) { look(into: root, tree: nil) }

    private func look(into path: String, tree: TreeOID?) {
        snapshots.listing(
            snapshot: snapshot, path: path, treeOID: tree, priority: .prefetch, isAlone: true
        ) { [self] result in
            if case .success(let listing) = result { take(listing, of: path) }
            let found = state.withLock { state in
                state.openCount -= 1
                return state.openCount == 0 ? state.found : nil
            }
            if let found { completion(found) }
        }
    }

    private func take(_ listing: DirectoryListing, of path: String) {
        let directory = ListedDirectory(
            repo: snapshot.repo, commit: snapshot.commit, path: path, listing: listing)
        for number in wanted[path] ?? [] {
            let file = files[number]
            guard let index = listing.index(of: file.path.splitAtLastSlash.name),
                let location = directory.file(at: index), location.content == file.content,
                location.size == file.size
            else { continue }
            state.withLock { $0.found[number] = location }
        }
        for folder in folders[path] ?? [] {
            guard let index = listing.index(of: folder.splitAtLastSlash.name),
                case .directory(let tree) = listing.kind(at: index)
            else { continue }
            state.withLock { $0.openCount += 1 }
            look(into: folder, tree: tree)
        }
    }
}
