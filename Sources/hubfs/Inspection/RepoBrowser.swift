import Glibc
import HubClient
import Platform
import RepoCache
import SystemPackage

/// A repo at one commit, looked into without mounting it, through the same cache as mounts.
///
/// Every call waits for the Hub, at most as long as its time-outs allow.
struct RepoBrowser {
    /// What a path names.
    struct Item {
        /// From the root of the repo; "" for the root itself.
        let path: String
        let kind: Kind
        /// When it was changed, nanoseconds since 1970; nil for what is not in a bucket.
        let modifiedNanoseconds: Int64?

        enum Kind {
            /// nil for the root, whose tree oid nobody tells.
            case directory(TreeOID?)
            case file(ContentID, size: UInt64)
        }

        init(path: String, kind: Kind) {
            self.path = path
            self.kind = kind
            modifiedNanoseconds = nil
        }

        init(_ entry: DirectoryListing.Entry, in directory: String) {
            path = directory.isEmpty ? entry.name : directory + "/" + entry.name
            modifiedNanoseconds = entry.modifiedNanoseconds
            switch entry.kind {
            case .directory(let tree): kind = .directory(tree)
            case .file(let content, let size): kind = .file(content, size: size)
            }
        }

        /// What a file's bytes are; nil for a directory.
        var content: ContentID? {
            if case .file(let content, _) = kind { content } else { nil }
        }

        /// The last part of the path.
        var name: String { path.split(separator: "/").last.map(String.init) ?? "" }
    }

    /// Contents up to this size are verified before their first byte is read.
    private static let verifiedFirstBytesMax = CacheConfiguration(root: "/").wholeBytesMax
    /// How long a verdict may take: a start, and a digest at the speed of a slow machine.
    private static let verdictSeconds = 10.0
    private static let hashedBytesPerSecond = 20e6

    let snapshot: RepoSnapshot
    private let hub: HubAccess

    /// Resolves the revision.
    init(_ source: SourceName, _ hub: HubAccess) throws(Failure) {
        self.hub = hub
        let answer = waitForAnswer { completion in
            hub.cache.snapshots.snapshot(
                source.uri.repo, source.revisionAround, completion: completion)
        }
        do throws(CacheError) {
            let resolved = try answer.get()
            snapshot = resolved.snapshot
            if resolved.isStale {
                writeToStandardError(
                    "hubfs: the Hub cannot be asked: \(source.uri.repo) as it was last seen\n")
            }
        } catch {
            throw Failure(error, isAnonymous: hub.isAnonymous)
        }
    }

    /// Finds a path by the listing of the directory it is in.
    ///
    /// - Throws: `Failure` with code `notFound`.
    func item(at path: String) throws(Failure) -> Item {
        guard let slash = path.lastIndex(of: "/") else {
            return path.isEmpty
                ? Item(path: "", kind: .directory(nil)) : try item(named: path, in: "")
        }
        return try item(
            named: String(path[path.index(after: slash)...]), in: String(path[..<slash]))
    }

    /// The items of a directory, in the order of their names.
    func items(of directory: Item) throws(Failure) -> [Item] {
        guard case .directory(let tree) = directory.kind else { return [directory] }
        let listing = try listing(directory.path, tree)
        return (0..<listing.count).map { Item(listing.entry(at: $0), in: directory.path) }
    }

    /// All files at and below an item, in the order of their paths' parts.
    func files(below item: Item) throws(Failure) -> [Item] {
        var files: [Item] = []
        var left = [item]
        while let next = left.popLast() {
            switch next.kind {
            case .file: files.append(next)
            case .directory: left += try items(of: next).reversed()
            }
        }
        return files
    }

    /// Opens a file's content; the caller closes it.
    func open(_ item: Item) throws(Failure) -> OpenContent {
        guard case .file(let content, let size) = item.kind else {
            throw Failure(.notFound, "\(item.path.isEmpty ? "/" : item.path) is a directory")
        }
        do throws(CacheError) {
            return try hub.cache.contents.open(location(of: item, content, size))
        } catch {
            throw Failure(error, isAnonymous: hub.isAnonymous)
        }
    }

    /// Bytes of a file that are in the cache, or in that of the official client; 0 for a directory.
    func cachedBytes(of item: Item) -> UInt64 {
        guard case .file(let content, let size) = item.kind else { return 0 }
        return hub.cache.contents.presentBytes(of: location(of: item, content, size))
    }

    private func location(
        of item: Item, _ content: ContentID, _ size: UInt64
    ) -> ContentLocation {
        ContentLocation(
            repo: snapshot.repo, commit: snapshot.commit, path: item.path, content: content,
            size: size)
    }

    /// Reads a file from its start to its end, a piece at a time.
    func read(
        _ item: Item, _ take: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let content = try open(item)
        defer { content.close() }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < content.location.size {
            let count = try read(content, into: buffer, at: offset)
            try take(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
        }
        try waitForVerdict(on: content)
    }

    /// Large contents are compared with their name once they are whole, which is after their last byte
    /// was read: who has read them must know how that ends.
    private func waitForVerdict(on content: OpenContent) throws(Failure) {
        let size = content.location.size
        guard size > Self.verifiedFirstBytesMax else { return }
        let patience = Self.verdictSeconds + Double(size) / Self.hashedBytesPerSecond
        let deadline = MonotonicInstant.now.advanced(bySeconds: patience)
        while true {
            switch content.state {
            case .verified, .sealed: return
            case .failed:
                throw Failure(.integrity(content.location.content), isAnonymous: hub.isAnonymous)
            case .checking, .partial:
                // What the disk had no room for is never whole, and never verified.
                if content.presentBytes == size, MonotonicInstant.now < deadline {
                    usleep(2000)
                    continue
                }
                let path = printable(content.location.path)
                return writeToStandardError("hubfs: \(path) could not be verified\n")
            }
        }
    }

    private func read(
        _ content: OpenContent, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(Failure) -> Int {
        let count: Int?
        do throws(CacheError) {
            count = try content.readWaiting(into: buffer, at: offset)
        } catch {
            throw Failure(error, isAnonymous: hub.isAnonymous)
        }
        guard let count else {
            throw Failure(
                .localStorage, "the cache is full: what arrives is evicted before it is read")
        }
        return count
    }

    private func item(named name: String, in directory: String) throws(Failure) -> Item {
        let listing = try listing(directory, nil)
        guard let index = listing.index(of: name) else {
            let path = directory.isEmpty ? name : directory + "/" + name
            throw Failure(
                .notFound, "\(snapshot.repo) has no \(path) at commit \(snapshot.commit)")
        }
        return Item(listing.entry(at: index), in: directory)
    }

    private func listing(
        _ directory: String, _ tree: TreeOID?
    ) throws(Failure) -> DirectoryListing {
        let answer = waitForAnswer { completion in
            hub.cache.snapshots.listing(
                snapshot: snapshot, path: directory, treeOID: tree, priority: .demand,
                completion: completion)
        }
        do throws(CacheError) {
            return try answer.get()
        } catch {
            throw Failure(error, isAnonymous: hub.isAnonymous)
        }
    }
}

extension RepoBrowser {
    /// Looks into the repos that URIs name, one after the other, and closes what was needed for it.
    ///
    /// - Parameter body: Gets the repo of one URI, and the path in it.
    static func visit(
        _ uris: [String], _ hubOptions: HubOptions, _ cacheOptions: CacheOptions,
        _ body: (RepoBrowser, _ path: String) throws(Failure) -> Void
    ) throws(Failure) {
        let environment = Environment()
        let endpoint = hubOptions.hubEnvironment(environment).endpoint
        let sources = try uris.map { uri throws(Failure) in
            try SourceName(uri, endpoint: endpoint)
        }
        let hub = try HubAccess(
            hub: hubOptions, cache: cacheOptions, environment: environment, logger: quietLogger)
        defer { hub.close() }
        for source in sources { try body(try RepoBrowser(source, hub), source.uri.path) }
    }
}
