import Platform
import WriteBack

/// Those who want to know how the end of a mount went, whoever brings it about.
final class FinishWatchers: Sendable {
    /// Of more, the oldest is told that nothing is known.
    private static let countMax = 16

    private let waiting = Guarded([@Sendable (CommitResult) -> Void](), rank: .leaf)

    /// Calls `completion` when the next finish is done.
    func add(_ completion: @escaping @Sendable (CommitResult) -> Void) {
        let dropped = waiting.withLock { waiting in
            waiting.append(completion)
            return waiting.count > Self.countMax ? waiting.removeFirst() : nil
        }
        dropped?(CommitResult(PublishError.cancelled))
    }

    /// A finish is done.
    func tell(_ result: CommitResult) {
        let told = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for completion in told { completion(result) }
    }
}
