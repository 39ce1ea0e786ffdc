package import HubClient
import Logging
import Platform

/// A revision resolved by the Hub, or remembered.
package struct ResolvedSnapshot: Hashable, Sendable {
    package let snapshot: RepoSnapshot
    /// The Hub could not be asked, or did not answer soon; this is what the revision named when it
    /// last did.
    package let isStale: Bool

    package init(snapshot: RepoSnapshot, isStale: Bool) {
        self.snapshot = snapshot
        self.isStale = isStale
    }
}

/// Who wants to know what a revision is; answered once, by whoever is first.
private final class RevisionQuestion: Sendable {
    typealias Completion = @Sendable (Result<ResolvedSnapshot, CacheError>) -> Void

    private let completion: Guarded<Completion?>

    init(_ completion: @escaping Completion) {
        self.completion = Guarded(completion, rank: .leaf)
    }

    /// - Returns: false when it was answered already.
    @discardableResult
    func answer(_ result: Result<ResolvedSnapshot, CacheError>) -> Bool {
        guard let completion = completion.withLock({ $0.take() }) else { return false }
        completion(result)
        return true
    }
}

/// Commits and their directories: from memory, else from the database, else from the Hub.
///
/// Immutable facts are asked for once: a second mount of a commit asks nothing. Equal questions
/// under way are one question.
package final class SnapshotStore: Sendable {
    package typealias ListingCompletion =
        @Sendable (Result<DirectoryListing, CacheError>) -> Void

    private struct State {
        var recent: RecentlyUsed<ListingKey, DirectoryListing>
        /// Who waits for a directory that is being looked up or asked for.
        var waiting: [ListingKey: [ListingCompletion]] = [:]
        var walks: [CommitOID: WalkPolicy] = [:]
        var isClosed = false
    }

    /// Where a directory is asked for.
    private struct Place {
        let snapshot: RepoSnapshot
        let path: String
        let key: ListingKey
        let priority: FetchPriority
        /// Nothing below the directory is asked for along with it.
        let isAlone: Bool
    }

    /// Stored listings beyond this are dropped, oldest first.
    private static let storedBytesMax: Int64 = 1 << 30
    /// Commits whose walk is watched; more make it forget, which costs one page each.
    private static let walkCountMax = 64

    let database: CacheDatabase
    private let origin: any TreeOrigin
    let worker: Worker
    private let timers: TimerQueue
    let endpoint: String
    private let patienceSeconds: Double
    let logger: Logger
    private let state: Guarded<State>

    init(
        database: CacheDatabase, origin: any TreeOrigin, worker: Worker, timers: TimerQueue,
        configuration: CacheConfiguration, logger: Logger
    ) {
        self.database = database
        self.origin = origin
        self.worker = worker
        self.timers = timers
        endpoint = configuration.endpoint
        patienceSeconds = configuration.revisionPatienceSeconds
        self.logger = logger
        let memoryBytesMax = configuration.listingBytesMax
        state = Guarded(State(recent: RecentlyUsed(byteCountMax: memoryBytesMax)), rank: .tree)
    }

    // MARK: Revisions

    /// Resolves a revision to a commit and remembers the answer.
    ///
    /// A full commit oid that was met before is answered without the Hub. When the Hub cannot be
    /// reached, or has not answered within `CacheConfiguration.revisionPatienceSeconds`, the last
    /// known answer is given, marked stale; an answer that comes later is remembered for the next
    /// time. Without a last answer the Hub has all the time it takes. Its refusals (no such repo,
    /// no right) are not papered over when they come in time.
    package func snapshot(
        _ repo: RepoID, _ revision: Revision,
        completion: @escaping @Sendable (Result<ResolvedSnapshot, CacheError>) -> Void
    ) {
        let isSubmitted = worker.submit { [self] in
            let known = remembered(repo, revision)
            if CommitOID(hex: revision.name) != nil, let known {
                return completion(.success(ResolvedSnapshot(snapshot: known, isStale: false)))
            }
            let question = RevisionQuestion(completion)
            let patience = known.map { endPatience(question, repo, revision, $0) }
            resolve(repo, revision, knowing: known, priority: .demand) { [self] result in
                if let patience { timers.cancel(patience) }
                let isSubmitted = worker.submit { [self] in
                    question.answer(settle(result, repo, revision, known: known))
                }
                if !isSubmitted { question.answer(.failure(.closed)) }
            }
        }
        if !isSubmitted { completion(.failure(.closed)) }
    }

    /// Asks the Hub what a revision names now that is being followed, and remembers a new answer. One
    /// question, if the answer is the old one; no other answer will do.
    ///
    /// - Parameter known: What it named when last asked.
    package func follow(
        _ repo: RepoID, _ revision: Revision, knowing known: RepoSnapshot,
        priority: FetchPriority,
        completion: @escaping @Sendable (Result<RepoSnapshot, CacheError>) -> Void
    ) {
        resolve(repo, revision, knowing: known, priority: priority) { [self] result in
            guard case .success(let snapshot) = result, snapshot != known else {
                return completion(result.mapError { .hub($0) })
            }
            let isSubmitted = worker.submit { [self] in
                completion(settle(result, repo, revision, known: known).map(\.snapshot))
            }
            if !isSubmitted { completion(.failure(.closed)) }
        }
    }

    /// Asks the Hub. A bucket's state is nowhere when the bucket has moved on: all of its listings are
    /// stored with it.
    private func resolve(
        _ repo: RepoID, _ revision: Revision, knowing known: RepoSnapshot?,
        priority: FetchPriority,
        completion: @escaping @Sendable (Result<RepoSnapshot, HubError>) -> Void
    ) {
        origin.resolve(repo, revision, knowing: known, priority: priority) { [self] result in
            guard repo.kind == .bucket, case .success(let snapshot) = result, snapshot != known
            else { return completion(result) }
            origin.list(
                snapshot.repo, at: snapshot.commit, path: "", recursive: true, entryCountMax: .max,
                priority: priority
            ) { [self] listed in
                guard case .success(let tree) = listed else {
                    return completion(listed.map { _ in snapshot })
                }
                let isSubmitted = worker.submit { [self] in
                    store(tree.entries, below: "", of: snapshot, asked: nil)
                    completion(result)
                }
                if !isSubmitted { completion(.failure(.cancelled)) }
            }
        }
    }

    /// Answers a question with what is remembered, unless the Hub is faster.
    private func endPatience(
        _ question: RevisionQuestion, _ repo: RepoID, _ revision: Revision, _ known: RepoSnapshot
    ) -> TimerQueue.Token {
        timers.schedule(afterSeconds: patienceSeconds) { [worker, logger, patienceSeconds] in
            let isSubmitted = worker.submit {
                let stale = ResolvedSnapshot(snapshot: known, isStale: true)
                guard question.answer(.success(stale)) else { return }
                logger.warning(
                    "the Hub has not said within \(patienceSeconds) s what \(repo)@\(revision) is now: going on with \(known.commit), which it was when last asked"
                )
            }
            if !isSubmitted { question.answer(.failure(.closed)) }
        }
    }

    /// - Parameter known: What is remembered already.
    private func settle(
        _ result: Result<RepoSnapshot, HubError>, _ repo: RepoID, _ revision: Revision,
        known: RepoSnapshot?
    ) -> Result<ResolvedSnapshot, CacheError> {
        switch result {
        case .success(let snapshot) where snapshot == known:
            return .success(ResolvedSnapshot(snapshot: snapshot, isStale: false))
        case .success(let snapshot):
            do throws(CacheError) {
                try database.remember(snapshot, as: repo, revision, of: endpoint)
            } catch {
                logger.warning("\(repo)@\(revision) is not remembered: \(error)")
            }
            return .success(ResolvedSnapshot(snapshot: snapshot, isStale: false))
        case .failure(let error):
            guard error.leavesAnswerOpen, let known = remembered(repo, revision) else {
                return .failure(.hub(error))
            }
            return .success(ResolvedSnapshot(snapshot: known, isStale: true))
        }
    }

    private func remembered(_ repo: RepoID, _ revision: Revision) -> RepoSnapshot? {
        do throws(CacheError) {
            return try database.snapshot(repo, revision, of: endpoint)
        } catch {
            logger.warning("what \(repo)@\(revision) named cannot be read: \(error)")
            return nil
        }
    }

    // MARK: Directories

    /// A directory that is in memory; never waits.
    ///
    /// - Parameter treeOID: The directory's tree, from its parent's entry; nil for the root.
    package func cachedListing(
        snapshot: RepoSnapshot, path: String, treeOID: TreeOID?
    ) -> DirectoryListing? {
        let key = ListingKey(commit: snapshot.commit, path: path, treeOID: treeOID)
        return listingInMemory(key)
    }

    /// A listing that is in memory; never waits.
    func listingInMemory(_ key: ListingKey) -> DirectoryListing? {
        state.withLock { $0.recent.value(of: key) }
    }

    /// Lists a directory.
    ///
    /// - Parameters:
    ///   - path: From the root of the repo, "" for the root itself.
    ///   - treeOID: As for `cachedListing`.
    ///   - isAlone: Asks for this directory and nothing below it, whatever was asked before.
    ///   - completion: Called once: at once when the directory is in memory, else on a thread of
    ///     the cache or of the origin.
    package func listing(
        snapshot: RepoSnapshot, path: String, treeOID: TreeOID?, priority: FetchPriority,
        isAlone: Bool = false, completion: @escaping ListingCompletion
    ) {
        let key = ListingKey(commit: snapshot.commit, path: path, treeOID: treeOID)
        let place = Place(
            snapshot: snapshot, path: path, key: key, priority: priority, isAlone: isAlone)
        let (known, isFirst) = state.withLock {
            state -> (Result<DirectoryListing, CacheError>?, Bool) in
            if state.isClosed { return (.failure(.closed), false) }
            if let listing = state.recent.value(of: key) { return (.success(listing), false) }
            state.waiting[key, default: []].append(completion)
            return (nil, state.waiting[key]?.count == 1)
        }
        if let known { return completion(known) }
        guard isFirst else { return }
        if !worker.submit({ self.lookUp(place) }) { answer(key, .failure(.closed)) }
    }

    /// Answers everybody who waits with `.closed` and every later question too.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for completion in waiting.values.joined() { completion(.failure(.closed)) }
    }

    /// Looks into the database, then asks. Runs on the worker.
    private func lookUp(_ place: Place) {
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
    private func store(
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

    private func answer(_ key: ListingKey, _ result: Result<DirectoryListing, CacheError>) {
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

extension HubError {
    /// Whether the Hub has not said no: it could not be asked, or had no time to answer.
    package var leavesAnswerOpen: Bool {
        switch self {
        case .unreachable, .offline, .rateLimited, .malformed: true
        case .status(let refusal): refusal.status >= 500
        case .repoNotFound, .revisionNotFound, .entryNotFound, .gated, .badToken, .forbidden,
            .cancelled:
            false
        }
    }
}
