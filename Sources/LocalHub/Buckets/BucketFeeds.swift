import Synchronization

/// Wakes those who follow buckets: when one has changed, now and then, and when the server ends.
final class BucketFeeds: Sendable {
    /// Somebody who follows a bucket.
    struct Follower: Sendable {
        let number: Int
        /// Has an element when there may be something to tell; ends when nobody listens any more.
        let wakes: AsyncStream<Void>
    }

    private struct State {
        var followers: [Int: (bucket: String, wake: AsyncStream<Void>.Continuation)] = [:]
        var nextNumber = 0
        var isClosing = false
    }

    /// A follower hears something at least so often.
    private static let quietSecondsMax = 30
    /// How long the end waits until followers have heard of it.
    private static let closing = (tries: 100, milliseconds: 10)

    private let state = Mutex(State())

    var isClosing: Bool { state.withLock { $0.isClosing } }

    func follow(_ bucket: String) -> Follower {
        let (wakes, wake) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let ticks = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(Self.quietSecondsMax))
                wake.yield()
            }
        }
        wake.onTermination = { _ in ticks.cancel() }
        let number = state.withLock { state in
            state.nextNumber += 1
            state.followers[state.nextNumber] = (bucket, wake)
            return state.nextNumber
        }
        // Whoever comes while the server ends is told so at once.
        if isClosing { wake.yield() }
        return Follower(number: number, wakes: wakes)
    }

    func end(_ follower: Follower) {
        let gone = state.withLock { $0.followers.removeValue(forKey: follower.number) }
        gone?.wake.finish()
    }

    func wake(_ bucket: String) {
        let wakes = state.withLock {
            $0.followers.values.filter { $0.bucket == bucket }.map(\.wake)
        }
        for wake in wakes { wake.yield() }
    }

    /// Has everybody end, and gives them time for it.
    func close() async {
        let wakes = state.withLock { state in
            state.isClosing = true
            return state.followers.values.map(\.wake)
        }
        for wake in wakes { wake.yield() }
        for _ in 0..<Self.closing.tries where state.withLock({ !$0.followers.isEmpty }) {
            try? await Task.sleep(for: .milliseconds(Self.closing.milliseconds))
        }
    }
}
