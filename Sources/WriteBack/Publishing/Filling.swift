import Logging
import Platform
import SystemPackage

/// Makes staging files whole for the cache and gives them to it, beside the commit and after it: what goes by chunks
/// needs none of that.
///
/// On a thread of its own, a file at a time.
final class Filling: Sendable {
    /// One file, until the cache has it or nobody wants that any more.
    private final class Job: Sendable {
        private enum State {
            case waiting
            case copying
            case filled
            case ended
        }

        let bytes: StagedBytes
        private let state = Monitor((step: State.waiting, deadline: MonotonicInstant?.none))

        init(_ bytes: StagedBytes) {
            self.bytes = bytes
            bytes.store.pin()
        }

        deinit { bytes.store.unpin() }

        func fill(_ logger: Logger) {
            guard begin() else { return }
            var step = State.ended
            do throws(PublishError) {
                try bytes.fill { () throws(PublishError) in
                    if isUnwanted { throw .cancelled }
                }
                step = .filled
            } catch .cancelled {
            } catch {
                // It is fetched when it is read.
                logger.info("what is committed will not be in the cache: \(error)")
            }
            state.update { $0.step = step }
        }

        /// Nothing of the file is touched before, and nothing once somebody has waited for that.
        private func begin() -> Bool {
            state.update { state in
                let isUnwanted = state.deadline.map { .now >= $0 } ?? false
                state.step = isUnwanted ? .ended : .copying
                return !isUnwanted
            }
        }

        private var isUnwanted: Bool {
            state.update { $0.deadline }.map { .now >= $0 } ?? false
        }

        var isFilled: Bool { state.update { $0.step == .filled } }

        /// Has it ended then, if not before.
        func leave(at deadline: MonotonicInstant) {
            state.update { $0.deadline = min($0.deadline ?? deadline, deadline) }
        }

        /// Returns when nothing writes to the file any more; after `leave`.
        func waitUntilLeft() {
            _ = state.wait { state in state.step == .copying ? nil : true }
        }
    }

    private struct State {
        var worker: Worker?
        /// Those of the commit under way.
        var jobs: [Job] = []
        /// Those of commits that were made.
        var kept: [Job] = []
    }

    private let logger: Logger
    private let state = Guarded(State(), rank: .leaf)

    init(logger: Logger) { self.logger = logger }

    /// Begins with files of a commit.
    func start(_ files: [StagedBytes]) {
        let jobs = files.filter { !$0.isWhole }.map { Job($0) }
        if jobs.isEmpty { return }
        let worker = state.withLock { state in
            state.jobs += jobs
            let worker = state.worker ?? Worker(name: "hubfs-fill", isPatient: true)
            state.worker = worker
            return worker
        }
        for job in jobs { _ = worker.submit { [logger] in job.fill(logger) } }
    }

    /// The commit is made: what it settled goes to the cache when it is whole. The rest stays an edit, and is
    /// left alone when this returns.
    func hand(_ settled: [SettledContent], to sink: any ContentSink) {
        let (jobs, worker) = state.withLock { state in
            let stores = Set(settled.map { ObjectIdentifier($0.store) })
            let kept = state.jobs.filter { stores.contains(ObjectIdentifier($0.bytes.store)) }
            state.jobs.removeAll { stores.contains(ObjectIdentifier($0.bytes.store)) }
            state.kept += kept
            return (kept, state.worker)
        }
        stop()
        for job in jobs {
            guard
                let base = settled.first(where: { $0.store === job.bytes.store })?.base
            else { continue }
            _ = worker?.submit { if job.isFilled { sink.adopt(base, from: job.bytes.store.path) } }
        }
    }

    /// Leaves the files of a commit that is not made as they are, and waits for that: they are edited on.
    func stop() {
        let jobs = state.withLock { state in
            defer { state.jobs = [] }
            return state.jobs
        }
        for job in jobs { job.leave(at: .now) }
        for job in jobs { job.waitUntilLeft() }
    }

    /// Has no file made whole any more from then on.
    func leave(at deadline: MonotonicInstant = .now) {
        let jobs = state.withLock { $0.jobs + $0.kept }
        for job in jobs { job.leave(at: deadline) }
    }

    /// Waits until the cache has what it gets of the commits that were made.
    func finish() {
        let (worker, kept) = state.withLock { state in
            defer {
                state.worker = nil
                state.kept = []
            }
            return (state.worker, state.kept)
        }
        // The last that is known of a job unpins its file, which takes a lock.
        withExtendedLifetime(kept) { worker?.close() }
    }
}
