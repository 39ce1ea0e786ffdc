import DequeModule
import HubClient
import Platform

/// The contents this process has open: one object per content, counted.
final class ContentRegistry: Sendable {
    private struct State {
        var open: [ContentID: (content: OpenContent, useCount: Int)] = [:]
        var lastNumber = 0
        /// Contents whose readahead the budget refused, to be asked again. Each is there once.
        var hungry = Deque<OpenContent>()
        var isClosed = false
    }

    private let state = Guarded(State(), rank: .blockStore)

    /// The open content, with one more use.
    func retain(_ content: ContentID) throws(CacheError) -> OpenContent? {
        try state.withLock { state throws(CacheError) in
            if state.isClosed { throw .closed }
            guard let entry = state.open[content] else { return nil }
            state.open[content]?.useCount += 1
            return entry.content
        }
    }

    /// The open content, without a use of its own.
    func find(_ content: ContentID) -> OpenContent? {
        state.withLock { $0.open[content]?.content }
    }

    /// Adds a content with one use, unless somebody else was faster.
    ///
    /// - Returns: the content in use.
    func insert(_ content: OpenContent) throws(CacheError) -> OpenContent {
        try state.withLock { state throws(CacheError) in
            if state.isClosed { throw .closed }
            let name = content.location.content
            let kept = state.open[name]?.content ?? content
            state.open[name] = (kept, (state.open[name]?.useCount ?? 0) + 1)
            return kept
        }
    }

    /// Ends one use.
    ///
    /// - Returns: true when it was the last one.
    func release(_ content: OpenContent) -> Bool {
        state.withLock { state in
            let name = content.location.content
            // A dropped content has left already; each of its users finds it failed.
            guard let entry = state.open[name], entry.content === content else { return false }
            state.open[name]?.useCount -= 1
            guard entry.useCount == 1 else { return false }
            state.open[name] = nil
            state.hungry.removeAll { $0 === content }
            return true
        }
    }

    /// Takes a dropped content out, so that the next open starts anew.
    func forget(_ content: OpenContent) {
        state.withLock { state in
            state.hungry.removeAll { $0 === content }
            guard state.open[content.location.content]?.content === content else { return }
            state.open[content.location.content] = nil
        }
    }

    /// A number for a new content.
    func nextNumber() -> Int {
        state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
    }

    func addHungry(_ content: OpenContent) {
        state.withLock { state in
            guard state.open[content.location.content]?.content === content,
                !state.hungry.contains(where: { $0 === content })
            else { return }
            state.hungry.append(content)
        }
    }

    /// The content whose readahead has waited longest.
    func takeHungry() -> OpenContent? { state.withLock { $0.hungry.popFirst() } }

    /// Contents that are open.
    var count: Int { state.withLock { $0.open.count } }

    /// Names of all open contents.
    var allOpen: [OpenContent] { state.withLock { $0.open.values.map(\.content) } }

    var openNames: Set<String> { state.withLock { Set($0.open.keys.map(\.hex)) } }

    /// Refuses every later use.
    ///
    /// - Returns: the contents still open.
    func close() -> [OpenContent] {
        state.withLock { state in
            state.isClosed = true
            state.hungry = []
            defer { state.open = [:] }
            return state.open.values.map(\.content)
        }
    }
}
