import HubClient
import Logging
import Platform

/// How the listing of a directory that is not in memory is found: in the database, or by the Hub, as part of
/// a larger part of its tree or by itself (`WalkPolicy`).
extension SnapshotStore {
    /// Looks into the database, then asks. Runs on the worker.
    func lookUp(_ place: Place) {
        do throws(CacheError) {
            if let listing = try database.listing(place.key) {
                return settle([(place.key, listing)])
            }
            if place.snapshot.repo.kind == .bucket, let listing = try listingFromRoot(place) {
                return settle([(place.key, listing)])
            }
        } catch {
            logger.warning("stored listing of \"\(place.path)\" cannot be read: \(error)")
        }
        if place.isAlone { return ask(place) }
        let question = state.withLock { state in
            if state.walks.count >= Self.walkCountMax, state.walks[place.snapshot.commit] == nil {
                state.walks = [:]
            }
            return state.walks[place.snapshot.commit, default: WalkPolicy()].next()
        }
        switch question {
        case .recursive:
            askRecursively(place)
        case .directory(let walks):
            ask(place)
            if walks { walk(place.snapshot) }
        }
    }

    /// A folder of a bucket that is known by its path alone, found from the root on.
    private func listingFromRoot(_ place: Place) throws(CacheError) -> DirectoryListing? {
        guard case .path(let commit, let path) = place.key, !path.isEmpty else { return nil }
        var listing = try database.listing(.path(commit, []))
        for name in path.split(separator: UInt8(ascii: "/")) {
            let index = name.withUnsafeBytes { listing?.index(ofName: $0) }
            guard let index, case .directory(let tree)? = listing?.kind(at: index) else {
                return nil
            }
            listing = try database.listing(.tree(tree))
        }
        return listing
    }

    private func askRecursively(_ place: Place) {
        origin.list(
            place.snapshot.repo, at: place.snapshot.commit, path: place.path, recursive: true,
            entryCountMax: WalkPolicy.firstEntryCountMax, priority: place.priority
        ) { [self] result in
            switch result {
            case .success(let tree) where tree.isWhole:
                onWorker(place.key) { [self] in
                    store(tree.entries, below: place.path, of: place.snapshot, asked: place.key)
                }
            case .success:
                ask(place)
            case .failure(let error):
                answer(place.key, .failure(.hub(error)))
            }
        }
    }

    private func ask(_ place: Place) {
        let entryCountMax = WalkPolicy.directoryEntryCountMax
        origin.list(
            place.snapshot.repo, at: place.snapshot.commit, path: place.path, recursive: false,
            entryCountMax: entryCountMax, priority: place.priority
        ) { [self] result in
            switch result {
            case .success(let tree):
                guard tree.isWhole else {
                    return answer(
                        place.key,
                        .failure(.listingTooLong(path: place.path, entryCountMax: entryCountMax)))
                }
                onWorker(place.key) { [self] in
                    store([(place.key, tree.entries)], asked: place.key, path: place.path)
                }
            case .failure(let error):
                answer(place.key, .failure(.hub(error)))
            }
        }
    }

    /// Fetches the whole tree in the background; directories asked for meanwhile do not wait.
    private func walk(_ snapshot: RepoSnapshot) {
        origin.list(
            snapshot.repo, at: snapshot.commit, path: "", recursive: true,
            entryCountMax: WalkPolicy.walkEntryCountMax, priority: .prefetch
        ) { [self] result in
            guard case .success(let tree) = result, tree.isWhole else { return }
            _ = worker.submit { [self] in
                store(tree.entries, below: "", of: snapshot, asked: nil)
            }
        }
    }

    private func onWorker(_ key: ListingKey, _ job: @escaping @Sendable () -> Void) {
        if !worker.submit(job) { answer(key, .failure(.closed)) }
    }

    /// Splits a recursive listing into directories, stores and answers them.
    func store(
        _ entries: [TreeEntry], below root: String, of snapshot: RepoSnapshot, asked: ListingKey?
    ) {
        let rootKey = asked ?? ListingKey(commit: snapshot.commit, path: root, treeOID: nil)
        // By bytes: names that Unicode holds equal are different names to git.
        var keys: [[UInt8]: ListingKey] = [Array(root.utf8): rootKey]
        var children: [[UInt8]: [TreeEntry]] = [Array(root.utf8): []]
        for entry in entries {
            if case .directory(let oid) = entry.kind { keys[Array(entry.path.utf8)] = .tree(oid) }
            children[entry.path.parentPath, default: []].append(entry)
        }
        let directories = children.compactMap { path, entries in
            keys[path].map { ($0, entries) }
        }
        store(directories, asked: asked, path: root)
    }

    private func store(
        _ directories: [(ListingKey, [TreeEntry])],
        asked: ListingKey?, path: String
    ) {
        let listings = directories.compactMap { key, entries in
            DirectoryListing(entries).map { (key: key, listing: $0) }
        }
        settle(listings)
        do throws(CacheError) {
            try database.store(
                listings, byteCountMax: Self.storedBytesMax, at: secondsSince1970())
        } catch {
            logger.warning("the listing of \"\(path)\" is not stored: \(error)")
        }
        // A name no file system can have: the directory cannot be shown.
        if let asked, !listings.contains(where: { $0.key == asked }) {
            answer(
                asked, .failure(.hub(.malformed(url: path, reason: "an entry's name is too long"))))
        }
    }

    /// Puts listings into memory and answers who waits for them.
    private func settle(_ listings: [(key: ListingKey, listing: DirectoryListing)]) {
        let answers = state.withLock { state in
            listings.flatMap { key, listing in
                state.recent.insert(listing, byteCount: listing.bytes.count + 64, for: key)
                return (state.waiting.removeValue(forKey: key) ?? []).map { ($0, listing) }
            }
        }
        for (completion, listing) in answers { completion(.success(listing)) }
    }

    func answer(_ key: ListingKey, _ result: Result<DirectoryListing, CacheError>) {
        let waiting = state.withLock { $0.waiting.removeValue(forKey: key) ?? [] }
        for completion in waiting { completion(result) }
    }
}

extension String {
    /// What stands before the last slash, as bytes: the directory's path, "" for the root.
    fileprivate var parentPath: [UInt8] {
        utf8.lastIndex(of: UInt8(ascii: "/")).map { Array(utf8[..<$0]) } ?? []
    }
}
