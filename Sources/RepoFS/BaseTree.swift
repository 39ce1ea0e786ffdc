package import HubClient
import Platform
package import RepoCache
import WriteBack

/// The immutable lower layer of a mount: one commit of one repo, or a directory of it.
///
/// A writable mount puts an overlay of local edits above it; nothing here ever changes.
package final class BaseTree: Sendable {
    package let snapshot: RepoSnapshot
    /// The mounted directory, from the root of the repo; "" for the whole repo.
    package let rootPath: String
    private let cache: RepoCache
    private let sizes = Guarded(Sizes(), rank: .leaf)

    private struct Sizes {
        /// Sum of the files in the listings seen so far.
        var listedBytes: UInt64 = 0
        /// The whole tree, once the Hub has told.
        var treeBytes: UInt64?
    }

    package init(snapshot: RepoSnapshot, rootPath: String, cache: RepoCache) {
        self.snapshot = snapshot
        self.rootPath = rootPath
        self.cache = cache
    }

    /// The same place of the repo at another commit.
    func at(_ snapshot: RepoSnapshot) -> BaseTree {
        BaseTree(snapshot: snapshot, rootPath: rootPath, cache: cache)
    }

    /// Bytes of the whole tree as far as they are known.
    package var knownBytes: UInt64 {
        sizes.withLock { max($0.treeBytes ?? 0, $0.listedBytes) }
    }

    /// Sets what the Hub says of the whole tree.
    package func setTreeBytes(_ bytes: UInt64) {
        sizes.withLock { $0.treeBytes = bytes }
    }

    /// The listing of a directory if it is in memory.
    func cachedListing(path: String, tree: TreeOID?) -> DirectoryListing? {
        cache.snapshots.cachedListing(snapshot: snapshot, path: inRepo(path), treeOID: tree)
    }

    /// The listing of a directory, from the cache or the Hub. `completion` runs once, on any
    /// thread, possibly before this returns.
    ///
    /// - Parameter isAlone: Asks for nothing below the directory along with it.
    package func listing(
        path: String, tree: TreeOID?, isAlone: Bool = false,
        completion: @escaping @Sendable (Result<DirectoryListing, CacheError>) -> Void
    ) {
        cache.snapshots.listing(
            snapshot: snapshot, path: inRepo(path), treeOID: tree, priority: .demand,
            isAlone: isAlone
        ) { [self] result in
            if case .success(let listing) = result { count(listing) }
            completion(result)
        }
    }

    /// Opens a file's content for reading.
    func open(_ location: ContentLocation) throws(CacheError) -> OpenContent {
        try cache.contents.open(location)
    }

    /// Notes that a file was opened whose content was not.
    func noteUse(of location: ContentLocation) { cache.contents.noteUse(location) }

    /// Opens the bytes of a file that edits stand on, which may be of an earlier commit.
    func open(_ file: BaseFile) throws(CacheError) -> OpenContent {
        try cache.contents.open(
            ContentLocation(of: file, in: snapshot.repo, mountedPath: rootPath))
    }

    /// Bytes of a content that can be read without the Hub.
    func presentBytes(of location: ContentLocation) -> UInt64 {
        cache.contents.presentBytes(of: location)
    }

    /// The same of a file that edits may stand on.
    func presentBytes(of file: BaseFile) -> UInt64 {
        presentBytes(of: ContentLocation(of: file, in: snapshot.repo, mountedPath: rootPath))
    }

    /// Where a file's content is to be had.
    ///
    /// - Parameter path: From the mounted directory.
    func location(path: String, content: ContentID, size: UInt64) -> ContentLocation {
        ContentLocation(
            repo: snapshot.repo, commit: snapshot.commit, path: inRepo(path), content: content,
            size: size)
    }

    private func inRepo(_ path: String) -> String {
        if rootPath.isEmpty { return path }
        return path.isEmpty ? rootPath : rootPath + "/" + path
    }

    private func count(_ listing: DirectoryListing) {
        let bytes = listing.fileBytes
        sizes.withLock { $0.listedBytes += bytes }
    }
}
