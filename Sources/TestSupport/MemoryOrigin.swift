package import HubClient
import Platform

/// Contents and trees in memory, answered from a thread of its own: a Hub for tests of what
/// stands above the network.
///
/// Faults are given by count: the n-th fetch from now fails, is cut off, stalls or lies.
package final class MemoryOrigin: ContentOrigin, TreeOrigin {
    /// What goes wrong with one fetch.
    package enum Fault: Sendable {
        /// Ends at once with this error.
        case fail(HubError)
        /// Ends with this error after so many bytes.
        case cut(afterBytes: Int, HubError)
        /// Delivers so many bytes, then nothing, until it is cancelled.
        case stall(afterBytes: Int)
        /// Delivers other bytes than asked for.
        case lie
    }

    /// What was asked for so far.
    package struct Counts: Hashable, Sendable {
        package var fetches = 0
        package var prefetches = 0
        package var bytesAsked: UInt64 = 0
        package var bytesDelivered: UInt64 = 0
        package var cancelled = 0
        package var resolves = 0
        package var listings = 0
        package var recursiveListings = 0
    }

    private struct State {
        var contents: [ContentID: [UInt8]] = [:]
        var trees: [CommitOID: [TreeEntry]] = [:]
        var revisions: [String: RepoSnapshot] = [:]
        var counts = Counts()
        var ranges: [Range<UInt64>] = []
        /// Faults by the number of the fetch they befall.
        var faults: [Int: Fault] = [:]
        var isOffline = false
        var isHeld = false
        var held: [@Sendable () -> Void] = []
    }

    private let state = Guarded(State(), rank: .hub)
    private let worker = Worker(name: "memory-origin", threadCount: 2)
    private let pieceBytes: Int

    /// - Parameter pieceBytes: Bytes of one delivery; odd sizes find those who count on blocks.
    package init(pieceBytes: Int = 16_411) { self.pieceBytes = pieceBytes }

    /// Ends the threads; what waits is answered first.
    package func close() {
        release()
        worker.close()
    }

    // MARK: What is there

    package func add(_ bytes: [UInt8], as content: ContentID) {
        state.withLock { $0.contents[content] = bytes }
    }

    /// - Parameter entries: Every file and directory below the root, in any order.
    package func add(_ snapshot: RepoSnapshot, revision: Revision, entries: [TreeEntry]) {
        state.withLock { state in
            state.trees[snapshot.commit] = entries
            state.revisions["\(snapshot.repo)@\(revision)"] = snapshot
        }
    }

    // MARK: Control

    package var counts: Counts { state.withLock { $0.counts } }

    /// Ranges of all fetches so far, in the order they were asked for.
    package var ranges: [Range<UInt64>] { state.withLock { $0.ranges } }

    /// Lets a fault befall the n-th fetch from now; 1 is the next one.
    package func inject(_ fault: Fault, atFetch number: Int = 1) {
        state.withLock { $0.faults[$0.counts.fetches + number] = fault }
    }

    /// Answers everything with `.offline` from now on, or no longer.
    package func setOffline(_ isOffline: Bool) { state.withLock { $0.isOffline = isOffline } }

    /// Holds every fetch, and the answer to every question for a revision, back until `release`.
    package func hold() { state.withLock { $0.isHeld = true } }

    package func release() {
        let held = state.withLock { state in
            state.isHeld = false
            defer { state.held = [] }
            return state.held
        }
        for job in held { _ = worker.submit(job) }
    }

    // MARK: Contents

    package func fetch(
        _ location: ContentLocation, range: Range<UInt64>, priority: FetchPriority,
        into receiver: any ContentReceiver
    ) -> any Fetch {
        precondition(!range.isEmpty && range.upperBound <= location.size, "a range of the content")
        let fetch = MemoryFetch()
        let (bytes, fault, isOffline) = state.withLock { state in
            state.counts.fetches += 1
            if priority == .prefetch { state.counts.prefetches += 1 }
            state.counts.bytesAsked += UInt64(range.count)
            state.ranges.append(range)
            let fault = state.faults.removeValue(forKey: state.counts.fetches)
            return (state.contents[location.content], fault, state.isOffline)
        }
        let job: @Sendable () -> Void = { [self] in
            guard let bytes, !isOffline else { return receiver.finished(.failure(.offline)) }
            deliver(bytes, range, fault, fetch, receiver)
        }
        let runsNow = state.withLock { state in
            if state.isHeld { state.held.append(job) }
            return !state.isHeld
        }
        if runsNow, !worker.submit(job) { receiver.finished(.failure(.offline)) }
        return fetch
    }

    private func deliver(
        _ bytes: [UInt8], _ range: Range<UInt64>, _ fault: Fault?, _ fetch: MemoryFetch,
        _ receiver: any ContentReceiver
    ) {
        var limit = range.upperBound
        var end: Result<Void, HubError> = .success(())
        switch fault {
        case .fail(let error):
            (limit, end) = (range.lowerBound, .failure(error))
        case .cut(let count, let error):
            (limit, end) = (min(limit, range.lowerBound + UInt64(count)), .failure(error))
        case .stall(let count):
            limit = min(limit, range.lowerBound + UInt64(count))
        case .lie, nil:
            break
        }
        var offset = range.lowerBound
        while offset < limit {
            let piece = offset..<min(offset + UInt64(pieceBytes), limit)
            var copy = Array(bytes[Int(piece.lowerBound)..<Int(piece.upperBound)])
            if case .lie = fault { copy[0] ^= 0xFF }
            let isWelcome =
                !fetch.isCancelled
                && copy.withUnsafeBytes { receiver.receive($0, at: piece.lowerBound) }
            guard isWelcome else { return finishCancelled(receiver) }
            state.withLock { $0.counts.bytesDelivered += UInt64(piece.count) }
            offset = piece.upperBound
        }
        guard case .stall = fault else { return receiver.finished(end) }
        fetch.onCancel { [self] in finishCancelled(receiver) }
    }

    private func finishCancelled(_ receiver: any ContentReceiver) {
        state.withLock { $0.counts.cancelled += 1 }
        receiver.finished(.failure(.cancelled))
    }

    // MARK: Trees

    package func resolve(
        _ repo: RepoID, _ revision: Revision, knowing known: RepoSnapshot?,
        priority: FetchPriority,
        completion: @escaping @Sendable (Result<RepoSnapshot, HubError>) -> Void
    ) {
        let (snapshot, isOffline) = state.withLock { state in
            state.counts.resolves += 1
            return (state.revisions["\(repo)@\(revision)"], state.isOffline)
        }
        let missing = HubError.Refusal(
            status: 404, message: "no such revision", requestID: "", url: "")
        let result: Result<RepoSnapshot, HubError> =
            isOffline
            ? .failure(.offline)
            : snapshot.map { .success($0) } ?? .failure(.revisionNotFound(missing))
        let runsNow = state.withLock { state in
            if state.isHeld { state.held.append { completion(result) } }
            return !state.isHeld
        }
        if runsNow { _ = worker.submit { completion(result) } }
    }

    package func list(
        _ repo: RepoID, at commit: CommitOID, path: String, recursive: Bool, entryCountMax: Int,
        priority: FetchPriority,
        completion: @escaping @Sendable (Result<TreeListing, HubError>) -> Void
    ) {
        let (entries, isOffline) = state.withLock { state in
            state.counts.listings += 1
            if recursive { state.counts.recursiveListings += 1 }
            return (state.trees[commit] ?? [], state.isOffline)
        }
        _ = worker.submit {
            if isOffline { return completion(.failure(.offline)) }
            let prefix = (path.isEmpty ? "" : path + "/").utf8
            let below = entries.filter { entry in
                let rest = entry.path.utf8.dropFirst(prefix.count)
                return entry.path.utf8.starts(with: prefix)
                    && (recursive || !rest.contains(UInt8(ascii: "/")))
            }
            completion(
                .success(
                    TreeListing(
                        entries: Array(below.prefix(entryCountMax)),
                        isWhole: below.count <= entryCountMax)))
        }
    }
}

/// A fetch of `MemoryOrigin`.
private final class MemoryFetch: Fetch {
    private struct State {
        var isCancelled = false
        var onCancel: (@Sendable () -> Void)?
    }

    private let state = Guarded(State(), rank: .gate)

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Runs `body` when the fetch is cancelled, at once if it was already.
    func onCancel(_ body: @escaping @Sendable () -> Void) {
        let isCancelled = state.withLock { state in
            if !state.isCancelled { state.onCancel = body }
            return state.isCancelled
        }
        if isCancelled { body() }
    }

    func cancel() {
        let body = state.withLock { state in
            state.isCancelled = true
            return state.onCancel.take()
        }
        body?()
    }
}
