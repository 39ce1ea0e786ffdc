import Platform
import XetCodec

/// One range of a file of a bucket: as any file's while the bucket has it, and by its hash from the store
/// when the path stands for something else by now. Who has the file open reads on.
final class BucketFetch: Fetch, ContentReceiver {
    private struct State {
        /// First byte that has not been delivered.
        var position: UInt64
        var fetch: (any Fetch)?
        var isCancelled = false
        var isFromStore = false
    }

    private let origin: XetOrigin
    private let location: ContentLocation
    private let range: Range<UInt64>
    private let priority: FetchPriority
    private let receiver: any ContentReceiver
    private let state: Guarded<State>

    init(
        _ origin: XetOrigin, _ location: ContentLocation, _ range: Range<UInt64>,
        _ priority: FetchPriority, _ receiver: any ContentReceiver
    ) {
        self.origin = origin
        self.location = location
        self.range = range
        self.priority = priority
        self.receiver = receiver
        state = Guarded(State(position: range.lowerBound), rank: .hub)
    }

    func start() {
        turn(to: origin.fetchAsListed(location, range, priority, self), isFromStore: false)
    }

    func cancel() {
        let fetch = state.withLock { state in
            state.isCancelled = true
            return state.fetch
        }
        fetch?.cancel()
    }

    func receive(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
        state.withLock { $0.position = offset + UInt64(bytes.count) }
        return receiver.receive(bytes, at: offset)
    }

    func finished(_ result: Result<Void, HubError>) {
        guard case .failure(let error) = result, case .entryNotFound = error else {
            return receiver.finished(result)
        }
        let isFirst = state.withLock { state in
            defer { state.isFromStore = true }
            return !state.isFromStore && !state.isCancelled
        }
        guard isFirst else { return receiver.finished(result) }
        origin.findInStore(location) { [self] file in
            guard let file else { return receiver.finished(result) }
            let rest = state.withLock { $0.position }..<range.upperBound
            let fetch = XetFetch(
                origin, location, rest, priority, self, isFromStoreAlone: true)
            fetch.begin(with: file)
            turn(to: fetch, isFromStore: true)
        }
    }

    private func turn(to fetch: any Fetch, isFromStore: Bool) {
        let isCancelled = state.withLock { state in
            // A fetch that ended at once may have been followed by the other already.
            if isFromStore || !state.isFromStore { state.fetch = fetch }
            return state.isCancelled
        }
        if isCancelled { fetch.cancel() }
    }
}
