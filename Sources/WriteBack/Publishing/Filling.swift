import HubClient
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

    /// What a commit made, until the cache has it.
    private struct Kept {
        let job: Job
        let content: ContentID
    }

    private struct State {
        var worker: Worker?
        /// Those of the commit under way.
        var jobs: [Job] = []
        /// In the order of their commits.
        var kept: [Kept] = []
    }

    /// Files that can wait for the cache while a commit goes on: of a file that is committed again and again each
    /// commit makes another one.
    private static let keptCountMax = 2

    private let logger: Logger
    private let state = Monitor(State())

    init(logger: Logger) { self.logger = logger }

    /// Begins with files of a commit.
    func start(_ files: [StagedBytes]) {
        let jobs = files.filter { !$0.isWhole }.map { Job($0) }
        if jobs.isEmpty { return }
        let worker = state.update { state in
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
        let bases = Dictionary(
            settled.map { (ObjectIdentifier($0.store), $0.base) }, uniquingKeysWith: { $1 })
        let (taken, worker) = state.update { state in
            let taken = state.jobs.compactMap { job in
                bases[ObjectIdentifier(job.bytes.store)].map { (job: job, base: $0) }
            }
            state.jobs.removeAll { bases[ObjectIdentifier($0.bytes.store)] != nil }
            state.kept += taken.map { Kept(job: $0.job, content: $0.base.content) }
            return (taken, state.worker)
        }
        stop()
        for (job, base) in taken {
            let isSubmitted = worker?.submit { [self] in
                if job.isFilled { sink.adopt(base, from: job.bytes.store.path) }
                forget(job)
            }
            if isSubmitted != true { forget(job) }
        }
    }

    private func forget(_ job: Job) {
        state.update { state in state.kept.removeAll { $0.job === job } }
    }

    /// Whether a commit made a content that the cache does not have yet.
    func has(_ content: ContentID) -> Bool { job(for: content) != nil }

    /// Reads of what a commit made, while the cache does not have it.
    ///
    /// - Returns: false when it has.
    func read(
        _ content: ContentID, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(PublishError) -> Bool {
        guard let job = job(for: content) else { return false }
        // Its file stays as long as the job.
        defer { withExtendedLifetime(job) {} }
        try job.bytes.read(into: buffer, at: offset)
        return true
    }

    private func job(for content: ContentID) -> Job? {
        state.update { $0.kept.last { $0.content == content }?.job }
    }

    /// Waits until few files wait for the cache.
    func waitForRoom() {
        _ = state.wait { $0.kept.count < Self.keptCountMax ? true : nil }
    }

    /// Leaves the files of a commit that is not made as they are, and waits for that: they are edited on.
    func stop() {
        let jobs = state.update { state in
            defer { state.jobs = [] }
            return state.jobs
        }
        for job in jobs { job.leave(at: .now) }
        for job in jobs { job.waitUntilLeft() }
    }

    /// Has no file made whole any more from then on.
    func leave(at deadline: MonotonicInstant = .now) {
        let jobs = state.update { $0.jobs + $0.kept.map(\.job) }
        for job in jobs { job.leave(at: deadline) }
    }

    /// Waits until the cache has what it gets of the commits that were made.
    func finish() {
        let worker = state.update { state in
            defer { state.worker = nil }
            return state.worker
        }
        worker?.close()
    }
}

/// The base of a commit that may stand on one of which the cache does not have all yet.
struct RecentBase: BaseSource {
    let source: any BaseSource
    let filling: Filling

    func listing(
        of path: String, at commit: CommitOID
    ) throws(PublishError) -> any BaseListing { try source.listing(of: path, at: commit) }

    func prepare(_ commit: CommitOID) throws(PublishError) { try source.prepare(commit) }

    func read(
        _ file: BaseFile, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(PublishError) {
        if try filling.read(file.content, at: offset, into: buffer) { return }
        try source.read(file, at: offset, into: buffer)
    }

    func presentBytes(of file: BaseFile) -> UInt64 {
        filling.has(file.content) ? file.size : source.presentBytes(of: file)
    }
}
