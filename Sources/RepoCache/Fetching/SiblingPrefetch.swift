import HubClient
import Platform

/// Has the small files fetched that a program reading a directory in order will read next.
final class SiblingPrefetch: AheadSource {
    private let snapshots: SnapshotStore
    private let detector = Guarded(SiblingDetector(), rank: .readahead)

    init(snapshots: SnapshotStore) { self.snapshots = snapshots }

    /// Takes note that a file was opened.
    ///
    /// - Returns: true when there is more to fetch now.
    func opened(_ file: ContentLocation) -> Bool {
        guard file.size <= SiblingPolicy().fileBytesMax, let place = snapshots.place(of: file)
        else {
            return false
        }
        return detector.withLock { $0.opened(place.index, of: place.directory) }
    }

    /// Takes note that a reader waits for a content that nobody had foreseen.
    func missed(_ content: ContentID) {
        detector.withLock { $0.missed(content) }
    }

    func next() -> AheadItem? {
        while let step = detector.withLock({ $0.next() }) {
            switch step {
            case .fetch(let file, let run): return AheadItem(file, tag: run)
            case .find(let directory, let run):
                let next = snapshots.next(after: directory)
                detector.withLock { $0.goOn(run, in: next) }
            }
        }
        return nil
    }

    func ended(_ item: AheadItem, _ outcome: AheadOutcome) {
        let wasHere = if case .wasHere = outcome { true } else { false }
        detector.withLock { $0.fetched(item.tag, wasHere: wasHere) }
    }
}
