import HubClient
import Logging
import Platform
import RepoCache

/// What is known of the Hub's accounts and repos by name; asks the Hub for what is not.
///
/// Answers hold for `HubTreePolicy.namesSeconds`, those that something is absent included. Equal
/// questions under way are one question, and there is a bound on questions under way and on questions
/// for names that nobody knows. Completions run once, at once or on a thread of the cache or the client.
final class HubCatalogue: Sendable {
    typealias Completion<Value> = @Sendable (Result<Value, CatalogueError>) -> Void

    /// The list of an account's repos, and until when it holds.
    struct Listed {
        let listing: RepoListing
        let until: MonotonicInstant
        /// Times of the repos' newest commits, by their names; 0 where the Hub does not tell.
        let dates: [String: Int64]
    }

    struct State {
        var lists: [HubAccount: Listed] = [:]
        /// Accounts that exist whatever their lists say: of repos that were resolved.
        var accounts: Set<HubAccount> = []
        var unknown = UnknownNames(countMax: HubTreePolicy.verdictCountMax)
        var budget = UnknownNamesBudget(
            burst: HubTreePolicy.unknownBurst, perSecond: HubTreePolicy.unknownPerSecond)
        var owner: (account: Account?, until: MonotonicInstant)?
        var listWaiters: [HubAccount: [Completion<RepoListing>]] = [:]
        var repoWaiters: [TreeRepo: [Completion<ResolvedSnapshot>]] = [:]
        var ownerWaiters: [@Sendable (Account?) -> Void] = []
        var isClosed = false
    }

    let policy: HubTreePolicy
    let client: HubClient
    let snapshots: SnapshotStore
    let timers: TimerQueue
    let logger: Logger
    let state = Guarded(State(), rank: .tree)
    let queue = QuestionQueue(
        runningCountMax: HubTreePolicy.questionCountMax,
        waitingCountMax: HubTreePolicy.waitingCountMax)

    /// - Parameter timers: Must be closed after `close`.
    init(
        policy: HubTreePolicy, client: HubClient, snapshots: SnapshotStore, timers: TimerQueue,
        logger: Logger
    ) {
        self.policy = policy
        self.client = client
        self.snapshots = snapshots
        self.timers = timers
        self.logger = logger
    }

    /// Answers everybody who waits with `.closed`, and every later question too.
    func close() {
        queue.close()
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { (state.listWaiters, state.repoWaiters, state.ownerWaiters) = ([:], [:], []) }
            return state
        }
        for completion in waiting.listWaiters.values.joined() {
            completion(.failure(.cache(.closed)))
        }
        for completion in waiting.repoWaiters.values.joined() {
            completion(.failure(.cache(.closed)))
        }
        for completion in waiting.ownerWaiters { completion(nil) }
    }

    /// The list of an account's repos if it still holds. Asks nobody.
    func freshList(of account: HubAccount) -> Listed? {
        state.withLock { $0.freshList(of: account, now: .now) }
    }

    /// How long the absence of a name still holds, in seconds; 0 when the Hub would be asked again.
    func absenceSeconds(of name: PossibleName) -> Double {
        state.withLock { state in
            let now = MonotonicInstant.now
            func seconds(_ account: HubAccount) -> Double {
                let list = state.freshList(of: account, now: now)?.until.seconds(since: now) ?? 0
                return max(list, state.unknown.find(account.description, now: now)?.seconds ?? 0)
            }
            func seconds(_ repo: TreeRepo) -> Double {
                state.unknown.find(repo.description, now: now)?.seconds ?? 0
            }
            return switch name {
            case .account(let account): seconds(account)
            case .accountOrRepo(let account, let repo): min(seconds(account), seconds(repo))
            case .repo(let repo): seconds(repo)
            case .kind, .nothing: 0
            }
        }
    }

    /// Notes that an account has a repo.
    func noteAccount(_ account: HubAccount) { state.withLock { $0.noteAccount(account) } }

    // MARK: Repos

    /// Resolves a repo at a revision.
    func repo(_ name: TreeRepo, completion: @escaping Completion<ResolvedSnapshot>) {
        let step = state.withLock { state -> Step in
            if state.isClosed { return .fail(.cache(.closed)) }
            let now = MonotonicInstant.now
            if let known = state.unknown.find(name.description, now: now) {
                return .fail(known.error)
            }
            if state.repoWaiters[name] != nil {
                state.repoWaiters[name]?.append(completion)
                return .wait
            }
            let isListed = state.lists(name, now: now)
            guard let seconds = state.takeTurn(isKnown: isListed, policy, now: now) else {
                return .fail(.busy)
            }
            state.repoWaiters[name] = [completion]
            return .ask(afterSeconds: seconds, isKnown: isListed)
        }
        switch step {
        case .wait: break
        case .fail(let error): completion(.failure(error))
        case .ask(let seconds, let isKnown):
            ask(afterSeconds: seconds) { [self] done in
                snapshots.snapshot(name.repo, name.revision ?? .main) { [self] result in
                    done()
                    settle(name, result, isKnown: isKnown)
                }
            } refused: { [self] in
                answer(name, .failure(.busy))
            }
        }
    }

    private func settle(
        _ name: TreeRepo, _ result: Result<ResolvedSnapshot, CacheError>, isKnown: Bool
    ) {
        switch result {
        case .success(let resolved):
            if resolved.isStale {
                logger.warning("the Hub cannot be asked: \(name) as it was last seen")
            }
            state.withLock { state in
                if !isKnown { state.budget.giveBack() }
                if let account = name.account { state.noteAccount(account) }
                if let account = TreeRepo(resolved.snapshot.repo, nil).account {
                    state.noteAccount(account)
                }
            }
            answer(name, .success(resolved))
        case .failure(let error):
            let error = CatalogueError(error)
            giveBack(isKnown: isKnown, after: error)
            if error.isVerdict { remember(name.description, error) }
            answer(name, .failure(error))
        }
    }

    private func answer(_ name: TreeRepo, _ result: Result<ResolvedSnapshot, CatalogueError>) {
        let waiters = state.withLock { $0.repoWaiters.removeValue(forKey: name) } ?? []
        for completion in waiters { completion(result) }
    }

    // MARK: Questions

    enum Step {
        case wait
        case fail(CatalogueError)
        case ask(afterSeconds: Double, isKnown: Bool)
    }

    /// Puts a question into the queue, now or when it is its turn.
    func ask(
        afterSeconds seconds: Double, _ question: @escaping QuestionQueue.Question,
        refused: @escaping @Sendable () -> Void
    ) {
        let submit = { @Sendable [queue] in
            if !queue.submit(question) { refused() }
        }
        if seconds <= 0 { return submit() }
        timers.schedule(afterSeconds: seconds, submit)
    }

    /// Only names that the Hub does not have are counted.
    func giveBack(isKnown: Bool, after error: CatalogueError) {
        if !isKnown, error != .absent { state.withLock { $0.budget.giveBack() } }
    }

    func remember(_ path: String, _ error: CatalogueError) {
        let now = MonotonicInstant.now
        state.withLock { [policy] state in
            state.unknown.add(
                path, error, until: now.advanced(bySeconds: policy.namesSeconds), now: now)
        }
    }
}

extension HubCatalogue.State {
    func freshList(of account: HubAccount, now: MonotonicInstant) -> HubCatalogue.Listed? {
        lists[account].flatMap { $0.until > now ? $0 : nil }
    }

    /// Whether a list that holds has the repo.
    func lists(_ name: TreeRepo, now: MonotonicInstant) -> Bool {
        guard let account = name.account, let listed = freshList(of: account, now: now) else {
            return false
        }
        return listed.dates[TreeRepo(name.repo, nil).fileName] != nil
    }

    mutating func noteAccount(_ account: HubAccount) {
        if accounts.count >= HubTreePolicy.accountCountMax { accounts = [] }
        accounts.insert(account)
        unknown.remove(account.description)
    }

    /// - Returns: how long a question has to wait; nil when it must not be asked.
    mutating func takeTurn(
        isKnown: Bool, _ policy: HubTreePolicy, now: MonotonicInstant
    ) -> Double? {
        isKnown ? 0 : budget.take(now: now, patienceSeconds: policy.patienceSeconds)
    }
}

extension CatalogueError {
    init(_ error: CacheError) {
        switch error {
        case .hub(.repoNotFound), .hub(.revisionNotFound), .hub(.entryNotFound): self = .absent
        default: self = .cache(error)
        }
    }

    /// Whether the Hub has said no, so that it need not be asked again soon.
    var isVerdict: Bool {
        switch self {
        case .absent: true
        case .busy: false
        case .cache(.hub(let error)): !error.leavesAnswerOpen && error != .cancelled
        case .cache: false
        }
    }
}
