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

    struct State {
        var recent: RecentlyUsed<ListingKey, DirectoryListing>
        /// Who waits for a directory that is being looked up or asked for.
        var waiting: [ListingKey: [ListingCompletion]] = [:]
        var walks: [CommitOID: WalkPolicy] = [:]
        var isClosed = false
    }

    /// Where a directory is asked for.
    struct Place {
        let snapshot: RepoSnapshot
        let path: String
        let key: ListingKey
        let priority: FetchPriority
        /// Nothing below the directory is asked for along with it.
        let isAlone: Bool
    }

    /// Stored listings beyond this are dropped, oldest first.
    static let storedBytesMax: Int64 = 1 << 30
    /// Commits whose walk is watched; more make it forget, which costs one page each.
    static let walkCountMax = 64

    let database: CacheDatabase
    let origin: any TreeOrigin
    let worker: Worker
    private let timers: TimerQueue
    let endpoint: String
    private let patienceSeconds: Double
    let logger: Logger
    let state: Guarded<State>

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
