package import HubClient
import Logging
import Platform
import SystemPackage

/// Remembers in which order the files of a mounted commit are first read, and has them fetched in that order when
/// the commit is mounted again and not cached.
///
/// What is read is told by `OpenContent`, on the reader's thread: memory operations under a lock, once for each
/// range. The order is written soon after that, so a killed daemon loses the reads of some seconds.
package final class LearnedPrefetch: AheadSource {
    static let saveSeconds = 5.0
    /// How long to wait for room, at first and at most.
    static let roomSeconds = 1.0
    static let roomSecondsMax = 300.0

    private struct State {
        /// Of this mount; nil before it began.
        var read: ReadOrder?
        /// Of earlier mounts of the commit.
        var known: ReadOrder?
        var plan: ReplayPlan?
        var recordPath: FilePath?
        var hasUnsaved = false
        var isSaveScheduled = false
        /// There was no room, and it is looked for again.
        var awaitsRoom = false
        var roomSeconds = LearnedPrefetch.roomSeconds
    }

    /// What a read asks for, outside of the lock.
    private struct Actions {
        var saves = false
        var wakes = false
        var leaves = false
    }

    private let snapshots: SnapshotStore
    private let database: CacheDatabase
    private let prefetcher: Prefetcher
    private let services: ContentServices
    private let timers: TimerQueue
    private let worker: Worker
    private let logger: Logger
    private let state = Guarded(State(), rank: .leaf)

    init(
        snapshots: SnapshotStore, database: CacheDatabase, prefetcher: Prefetcher,
        services: ContentServices, timers: TimerQueue, worker: Worker, logger: Logger
    ) {
        self.snapshots = snapshots
        self.database = database
        self.prefetcher = prefetcher
        self.services = services
        self.timers = timers
        self.worker = worker
        self.logger = logger
    }

    /// Begins for the mount of a commit. Call once; looks for what is known in the background.
    ///
    /// - Parameter path: The mounted directory, from the root of the repo.
    package func begin(_ snapshot: RepoSnapshot, below path: String, _ learning: Learning) {
        state.withLock { state in
            state.read = ReadOrder(repo: snapshot.repo, commit: snapshot.commit)
            state.recordPath = learning.recordPath
            state.hasUnsaved = learning.recordPath != nil
        }
        _ = worker.submit { [self] in
            let known = lookUp(snapshot)
            state.withLock { $0.known = known?.commit == snapshot.commit ? known : nil }
            switch learning.replay {
            case .none: break
            case .learned: if let known { find(known, below: path, of: snapshot, isSure: false) }
            case .given(let order): find(order, below: path, of: snapshot, isSure: true)
            }
        }
    }

    // MARK: What is read

    /// Takes note of bytes that are read, perhaps for the first time.
    func read(_ bytes: Range<UInt64>, of location: ContentLocation) {
        let file = ReadOrder.File(
            path: location.path, content: location.content, size: location.size)
        let actions = state.withLock { state in
            guard state.read?.commit == location.commit, state.read?.repo == location.repo,
                let parts = state.read?.add(bytes, of: file), !parts.isEmpty
            else { return Actions() }
            var actions = Actions(saves: !state.isSaveScheduled)
            (state.hasUnsaved, state.isSaveScheduled) = (true, true)
            guard state.plan?.hasLeft == false else { return actions }
            for part in parts {
                if state.plan?.read(part, of: file.content) == true { actions.wakes = true }
            }
            actions.leaves = state.plan?.hasLeft == true
            return actions
        }
        if actions.saves { scheduleSave() }
        if actions.wakes { prefetcher.wake() }
        if actions.leaves { leave() }
    }

    /// Takes note that the kernel reads a content by itself. It is here: that is nothing to learn from.
    func kernelReads(_ location: ContentLocation) {
        let mustWake = state.withLock { $0.plan?.readWhole(location.content) ?? false }
        if mustWake { prefetcher.wake() }
    }

    // MARK: What is fetched

    package func next() -> AheadItem? {
        // Without room nothing of it would be kept.
        guard services.ledger.hasRoom(for: ReadOrder.spanBytesMax) else {
            lookForRoom()
            return nil
        }
        return state.withLock { state in
            state.roomSeconds = Self.roomSeconds
            guard let index = state.plan?.takeStep(), let plan = state.plan else { return nil }
            let step = plan.steps[index]
            return AheadItem(step.file, range: step.bytes, tag: index, isSure: plan.isTrusted)
        }
    }

    /// Has room counted anew or made, and asks again later: while nothing is read nobody else does either.
    private func lookForRoom() {
        let seconds = state.withLock { state -> Double? in
            guard !state.awaitsRoom, state.plan?.hasMore == true else { return nil }
            state.awaitsRoom = true
            defer { state.roomSeconds = min(2 * state.roomSeconds, Self.roomSecondsMax) }
            return state.roomSeconds
        }
        guard let seconds else { return }
        services.lookForRoom()
        timers.schedule(afterSeconds: seconds) { [weak self] in
            guard let self else { return }
            state.withLock { $0.awaitsRoom = false }
            prefetcher.wake()
        }
    }

    package func ended(_ item: AheadItem, _ outcome: AheadOutcome) {
        let isFetched = if case .fetched = outcome { true } else { false }
        state.withLock { $0.plan?.ended(item.tag, isFetched: isFetched) }
    }

    /// - Parameter isSure: See `ReplayPlan`.
    private func find(
        _ order: ReadOrder, below path: String, of snapshot: RepoSnapshot, isSure: Bool
    ) {
        let search = FileSearch(order.files, below: path, of: snapshot, in: snapshots) {
            [self] found in
            let steps = order.spans.compactMap { span in
                found[span.file].map { ReplayPlan.Step($0, span.bytes) }
            }
            replay(steps, isSure: isSure)
        }
        search.start(at: path)
    }

    private func replay(_ steps: [ReplayPlan.Step], isSure: Bool) {
        logger.info(
            "files can be fetched ahead in the order of an earlier mount",
            metadata: ["ranges": "\(steps.count)", "at once": "\(isSure)"])
        guard !steps.isEmpty else { return }
        var plan = ReplayPlan(steps, isSure: isSure, aheadBytesMax: services.ledger.limitBytes / 2)
        state.withLock { state in
            // What was read while they were looked for.
            for span in state.read?.spans ?? [] {
                _ = plan.read(span.bytes, of: state.read!.files[span.file].content)
            }
            state.plan = plan
        }
        prefetcher.wake()
    }

    private func leave() {
        prefetcher.remove(self)
        logger.info("what is read now is not what an earlier mount read: its order is left")
    }

    // MARK: What is remembered

    private func lookUp(_ snapshot: RepoSnapshot) -> ReadOrder? {
        do throws(CacheError) {
            return try database.readOrder(snapshot.repo, near: snapshot.commit)
        } catch {
            logger.warning("the order in which \(snapshot.repo) was read is lost: \(error)")
            return nil
        }
    }

    private func scheduleSave() {
        timers.schedule(afterSeconds: Self.saveSeconds) { [weak self] in
            guard let self else { return }
            _ = worker.submit { self.save() }
        }
    }

    /// Writes what was read, if that is news. Waits for the disk; not on two threads at once.
    func save() {
        let (read, known, hasLeft, path) = state.withLock { state in
            defer { (state.hasUnsaved, state.isSaveScheduled) = (false, false) }
            let read = state.hasUnsaved ? state.read : nil
            return (read, state.known, state.plan?.hasLeft ?? false, state.recordPath)
        }
        guard let read else { return }
        if !read.spans.isEmpty {
            do throws(CacheError) {
                let order = read.merged(with: known, isOther: hasLeft)
                try database.store(order, at: secondsSince1970())
            } catch {
                logger.warning("the order in which \(read.repo) is read is not kept: \(error)")
            }
        }
        // Last: whoever finds it there finds that the rest is kept too.
        if let path { record(read, at: path) }
    }

    /// Puts the file in place whole, so that nobody finds half of it.
    private func record(_ order: ReadOrder, at path: FilePath) {
        let draft = FilePath(path.string + ".new")
        do throws(Errno) {
            let file = try openForUpdate(draft, creates: true)
            defer { try? file.close() }
            let bytes = Array(order.text.utf8)
            try file.truncate(to: 0)
            let written = bytes.withUnsafeBytes { buffer in
                Result { () throws(Errno) in try file.writeWhole(buffer, at: 0) }
            }
            try written.get()
            try Folder.rename(draft, to: path)
        } catch {
            logger.error("the order of reads is not recorded in \(path): \(error)")
        }
    }
}
