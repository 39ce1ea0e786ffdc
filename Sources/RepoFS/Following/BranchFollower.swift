import FuseBridge
import HubClient
import Logging
import Platform
import RepoCache

/// Lets a mount that is read only go where its branch goes.
///
/// A thread of its own asks the Hub one question an interval. When the branch has another commit, the
/// directories that have changed and that the kernel has looked into are listed, while everybody reads
/// on; then all of the mount goes to the new commit in one step, and the kernel is told which names
/// stand for something else. What fails leaves the mount where it is, until the next time.
///
/// Nobody who uses the mount ever waits for any of this: the network is waited for here, without a
/// lock, and notifications go out from the notifier's thread.
package final class BranchFollower: Sendable {
    private struct State {
        var isClosed = false
        /// Who wants an answer now rather than at the next time.
        var waiting: [@Sendable (FollowResult) -> Void] = []
        /// Ends the wait for an answer from the Hub.
        var giveUp: (@Sendable () -> Void)?
        /// Somebody has heard that there is something new.
        var isRung = false
        /// Says whether changes are told as they happen.
        var isTold: (@Sendable () -> Bool)?
        /// Before it nobody is asked only because of that.
        var notBefore = MonotonicInstant.now
        var asked: MonotonicInstant?
        /// nil while the Hub is asked.
        var next: MonotonicInstant?
        var questionCount: UInt64 = 0
        var moveCount: UInt64 = 0
        var failure: CacheError?
    }

    private let fileSystem: RepoFileSystem
    private let cache: RepoCache
    private let notifier: Notifier
    private let logger: Logger
    private let repo: RepoID
    private let revision: Revision
    private let intervalSeconds: Double
    private let state: Monitor<State>
    private let thread = Guarded<Thread?>(nil, rank: .leaf)

    /// Listings asked for at the same time.
    private static let parallelCountMax = 8
    /// Commands that may wait for an answer.
    private static let waitingCountMax = 64
    /// A bucket is asked by listing it: what that took, times this, lies between two questions.
    private static let restFactor = 20.0
    private static let ringSecondsMin = 0.5
    /// A branch of which changes are told is asked no more often by itself.
    private static let toldSeconds = 600.0
    /// How long `pull` waits for the kernel, so that the mount shows the commit that it names.
    private static let patienceSeconds = 5.0

    /// - Parameter repo: As the user names it, which is what the answers are remembered by.
    init(
        _ repo: RepoID, _ revision: Revision, intervalSeconds: Double,
        fileSystem: RepoFileSystem, cache: RepoCache, notifier: Notifier, logger: Logger
    ) {
        self.fileSystem = fileSystem
        self.cache = cache
        self.notifier = notifier
        self.logger = logger
        self.repo = repo
        self.revision = revision
        self.intervalSeconds = intervalSeconds
        var first = State()
        first.next = .now.advanced(bySeconds: intervalSeconds)
        state = Monitor(first)
    }

    /// Begins to ask. Call once.
    func start() {
        let thread = Thread(name: "hubfs-follow") { [self] in run() }
        self.thread.withLock { $0 = thread }
    }

    /// Asks no more, and waits for the thread, which ends soon. Before the notifier is closed.
    func close() {
        let giveUp = state.update { state in
            state.isClosed = true
            return state.giveUp.take()
        }
        giveUp?()
        thread.withLock { $0.take() }?.join()
        let waiting = state.update { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for completion in waiting { completion(.failure(.closed)) }
    }

    /// Asks now.
    ///
    /// - Parameter completion: The commit that the mount shows then, which is what the branch has; or
    ///   why it is not. Called once, on another thread.
    package func pull(completion: @escaping @Sendable (FollowResult) -> Void) {
        let isTaken = state.update { state in
            guard !state.isClosed, state.waiting.count < Self.waitingCountMax else { return false }
            state.waiting.append(completion)
            return true
        }
        if !isTaken { completion(.failure(.closed)) }
    }

    /// Asks soon: something is said to be new.
    package func ring() { state.update { $0.isRung = true } }

    /// Asks seldom by itself for as long as changes are told as they happen.
    package func listens(_ isTold: @escaping @Sendable () -> Bool) {
        state.update { $0.isTold = isTold }
    }

    package var status: FollowStatus {
        let now = MonotonicInstant.now
        return state.update { state in
            FollowStatus(
                revision: revision, intervalSeconds: intervalSeconds,
                askedSecondsAgo: state.asked.map { now.seconds(since: $0) },
                nextInSeconds: state.next.map { max(0, $0.seconds(since: now)) },
                questionCount: state.questionCount, moveCount: state.moveCount,
                failure: state.failure)
        }
    }

    private func run() {
        var schedule = FollowSchedule(intervalSeconds: intervalSeconds)
        while let waiting = waitForTurn() {
            let begin = MonotonicInstant.now
            let result = Result { () throws(CacheError) in
                try goToHead(waiting.isEmpty ? .prefetch : .demand)
            }
            if case .failure(.closed) = result, state.update({ $0.isClosed }) {
                for completion in waiting { completion(result) }
                return
            }
            tell(result)
            var seconds =
                switch result {
                case .success: schedule.answered()
                case .failure: schedule.failed()
                }
            var rest = 0.0
            if repo.kind == .bucket {
                rest = Self.restFactor * MonotonicInstant.now.seconds(since: begin)
                seconds = max(seconds, rest)
                if state.update({ $0.isTold })?() == true {
                    seconds = max(seconds, Self.toldSeconds)
                }
            }
            state.update { state in
                state.next = .now.advanced(bySeconds: seconds)
                state.notBefore = .now.advanced(bySeconds: max(Self.ringSecondsMin, rest))
                if case .failure(let error) = result { state.failure = error }
                if case .success = result { state.failure = nil }
            }
            for completion in waiting { completion(result) }
        }
    }

    /// - Returns: those who want an answer, if any; nil when it is over.
    private func waitForTurn() -> [@Sendable (FollowResult) -> Void]? {
        while true {
            let (next, rest) = state.update { ($0.next, $0.isRung ? $0.notBefore : nil) }
            let turn = state.wait(until: rest ?? next) { state in
                if state.isClosed { return false }
                // With a rest to be kept, what rings is heard already.
                return state.waiting.isEmpty && (!state.isRung || rest != nil) ? nil : true
            }
            if turn == false { return nil }
            let isDue = [rest, next].contains { instant in instant.map { $0 <= .now } ?? false }
            let isAsked = state.update { !$0.waiting.isEmpty }
            guard isDue || isAsked else { continue }
            return state.update { state in
                defer { state.waiting = [] }
                state.isRung = false
                state.asked = .now
                state.next = nil
                state.questionCount += 1
                return state.waiting
            }
        }
    }

    /// Says when it begins to fail, when it fails in another way, and when it works again; nothing
    /// between.
    private func tell(_ result: FollowResult) {
        let before = state.update { $0.failure }
        switch (result, before) {
        case (.failure(let error), let before) where before?.errno != error.errno:
            let reason = if case .hub(let error) = error { error.sentence } else { "\(error)" }
            logger.warning(
                "\(repo)@\(revision) cannot be followed now, the mount stays at the commit it shows: \(reason)",
                metadata: ["commit": "\(fileSystem.base.snapshot.commit)"])
        case (.success, .some):
            logger.notice("\(repo)@\(revision) can be followed again")
        case (.failure, _), (.success, nil): break
        }
    }

    /// - Returns: the commit that is shown then.
    private func goToHead(_ priority: FetchPriority) throws(CacheError) -> CommitOID {
        let known = fileSystem.base.snapshot
        let head = try answer { [cache, repo, revision] completion in
            cache.snapshots.follow(
                repo, revision, knowing: known, priority: priority, completion: completion)
        }
        if head.commit != known.commit { try go(to: fileSystem.base.at(head)) }
        return head.commit
    }

    private func go(to next: BaseTree) throws(CacheError) {
        let root = try answer { next.listing(path: "", tree: nil, isAlone: true, completion: $0) }
        var listings: [TreeOID: DirectoryListing] = [:]
        while true {
            switch fileSystem.move(to: next, root: root, listings: listings) {
            case .needs(let wanted):
                for (tree, listing) in try list(wanted, of: next) { listings[tree] = listing }
            case .done(let stale):
                state.update { $0.moveCount += 1 }
                logger.info(
                    "the mount shows another commit",
                    metadata: [
                        "commit": "\(next.snapshot.commit)", "names": "\(stale.entries.count)",
                    ])
                notifier.invalidateEntries(
                    stale.entries, directories: stale.directories,
                    patienceSeconds: Self.patienceSeconds)
                return
            }
        }
    }

    /// Lists some of the directories that are wanted, at least one; the others are wanted again.
    private func list(
        _ wanted: [InodeTable.Wanted], of next: BaseTree
    ) throws(CacheError) -> [(TreeOID, DirectoryListing)] {
        let some = Array(wanted.prefix(Self.parallelCountMax))
        return try answer { completion in
            let found = Guarded<[TreeOID: Result<DirectoryListing, CacheError>]>([:], rank: .leaf)
            let trees = Set(some.map(\.tree))
            for tree in trees {
                let path = some.first { $0.tree == tree }!.path
                next.listing(path: path, tree: tree, isAlone: true) { result in
                    let all = found.withLock { found in
                        found[tree] = result
                        return found.count == trees.count ? found : nil
                    }
                    guard let all else { return }
                    completion(
                        Result { () throws(CacheError) in
                            try all.map { tree, result throws(CacheError) in
                                (tree, try result.get())
                            }
                        })
                }
            }
        }
    }

    /// Waits for an answer, or until `close`.
    private func answer<Value: Sendable>(
        _ start: (@escaping @Sendable (Result<Value, CacheError>) -> Void) -> Void
    ) throws(CacheError) -> Value {
        let box = Monitor<Result<Value, CacheError>?>(nil)
        let isOpen = state.update { state in
            if state.isClosed { return false }
            state.giveUp = { box.update { $0 = $0 ?? .failure(.closed) } }
            return true
        }
        guard isOpen else { throw .closed }
        start { result in box.update { $0 = $0 ?? result } }
        let result = box.wait { $0 }!
        state.update { $0.giveUp = nil }
        return try result.get()
    }
}
