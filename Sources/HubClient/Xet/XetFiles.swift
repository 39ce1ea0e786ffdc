import HTTPTransport
import Platform
import XetCodec

/// What is known of files in the content-addressed store: asked for once for everybody who waits.
///
/// ```
/// preparing ──▶ ready ──▶ unusable: failed too often, or its bytes were wrong
///     └───────────────▶ unusable: not in the store, or it does not answer; for a while
/// ```
final class XetFiles: Sendable {
    /// Called with nil when the plain way is to be taken.
    typealias Completion = @Sendable (XetFile?) -> Void

    private enum Entry {
        case preparing(waiters: [Completion])
        case ready(XetFile, usedAt: UInt64)
        case unusable(until: MonotonicInstant)
    }

    private struct State {
        var entries: [ContentID: Entry] = [:]
        var useCount: UInt64 = 0
        var figures = XetFigures()
    }

    /// How a fetch is to be made.
    enum Way {
        case plain
        case ready(XetFile)
        /// `completion` is called soon.
        case waits
    }

    /// What somebody asks for who fetches.
    struct Wish {
        /// It is worth asking the store for this alone.
        var isLarge: Bool
        /// A reader waits: he is not kept from the plain way by questions.
        var isDemand: Bool
        /// Other contents may have some of it.
        var mayBeShared: Bool
    }

    /// Memory for what files are made of.
    static let costBytesMax = 16 << 20
    /// Files that are remembered, the unusable included.
    private static let countMax = 2048
    /// A file that the store does not have, or has wrongly.
    private static let absentSeconds = 3600.0
    /// A store that does not answer, or whose xorbs do not come.
    private static let failedSeconds = 60.0
    /// Fetches that may fail one after the other.
    private static let failureCountMax = 3

    private let state = Guarded(State(), rank: .hub)

    var figures: XetFigures { state.withLock { $0.figures } }

    /// Calls `completion` when it is known what a file is made of: now, or when the question that is
    /// under way is answered. With nil when nobody asks.
    func whenKnown(_ content: ContentID, _ completion: @escaping Completion) {
        let (isKnown, file): (Bool, XetFile?) = state.withLock { state in
            switch state.entries[content] {
            case .ready(let file, _): return (true, file)
            case .preparing(let waiters):
                state.entries[content] = .preparing(waiters: waiters + [completion])
                return (false, nil)
            case .unusable, nil: return (true, nil)
            }
        }
        if isKnown { completion(file) }
    }

    /// Says how to fetch.
    ///
    /// - Parameters:
    ///   - prepare: Called, without locks, when the file is to be asked for; ends with `prepared`.
    ///   - completion: Kept when the answer is `.waits`.
    func way(
        for content: ContentID, _ wish: Wish, prepare: () -> Void, completion: @escaping Completion
    ) -> Way {
        let now = MonotonicInstant.now
        let waits = wish.mayBeShared && !wish.isDemand
        let (way, begins): (Way, Bool) = state.withLock { state in
            switch state.entries[content] {
            case .ready(let file, _):
                state.useCount += 1
                state.entries[content] = .ready(file, usedAt: state.useCount)
                return (.ready(file), false)
            case .preparing(var waiters):
                guard waits else { return (.plain, false) }
                waiters.append(completion)
                state.entries[content] = .preparing(waiters: waiters)
                return (.waits, false)
            case .unusable(let until) where until > now: return (.plain, false)
            case .unusable, nil:
                guard wish.isLarge || wish.mayBeShared else { return (.plain, false) }
                state.entries[content] = .preparing(waiters: waits ? [completion] : [])
                return (waits ? .waits : .plain, true)
            }
        }
        if begins { prepare() }
        return way
    }

    /// Ends the preparation of a file that can be used.
    func prepared(_ content: ContentID, _ file: XetFile) {
        end(content) { state in
            state.useCount += 1
            state.figures.plannedCount += 1
            state.entries[content] = .ready(file, usedAt: state.useCount)
            Self.shrink(&state, keeping: content)
            return file
        }
    }

    /// Ends the preparation of a file that the Hub does not name in the store.
    func isNotThere(_ content: ContentID) {
        end(content) { state in
            Self.mark(content, &state, seconds: Self.absentSeconds)
            return nil
        }
    }

    /// Ends the preparation of a file about which nothing usable was learned.
    func failed(_ content: ContentID, _ reason: XetFigures.Reason, _ words: String) {
        end(content) { state in
            Self.count(reason, words, &state)
            Self.mark(content, &state, seconds: Self.failedSeconds)
            return nil
        }
    }

    /// Notes that a part of a file is fetched the plain way; after some of them in a row all of it is.
    func fellBack(
        _ content: ContentID, _ file: XetFile, _ reason: XetFigures.Reason, _ words: String
    ) {
        // That many parts are no fault of the store's.
        let count = reason == .scattered ? 0 : file.note(isFailure: true)
        state.withLock { state in
            Self.count(reason, words, &state)
            guard count >= Self.failureCountMax, case .ready = state.entries[content] else {
                return
            }
            Self.mark(content, &state, seconds: Self.failedSeconds)
        }
    }

    /// The bytes that came were not the content's: the store is not asked for it again soon.
    ///
    /// - Returns: whether the store had a part in it.
    func wasWrong(_ content: ContentID) -> Bool {
        state.withLock { state in
            guard case .ready = state.entries[content] else { return false }
            Self.count(.content, "its digest is wrong", &state)
            Self.mark(content, &state, seconds: Self.absentSeconds)
            return true
        }
    }

    func count(unpacked: Int = 0, shared: Int = 0) {
        state.withLock { state in
            state.figures.unpackedBytes += UInt64(unpacked)
            state.figures.sharedBytes += UInt64(shared)
        }
    }

    private func end(_ content: ContentID, _ change: (inout State) -> XetFile?) {
        let (waiters, file): ([Completion], XetFile?) = state.withLock { state in
            guard case .preparing(let waiters) = state.entries[content] else { return ([], nil) }
            return (waiters, change(&state))
        }
        for waiter in waiters { waiter(file) }
    }

    private static func count(
        _ reason: XetFigures.Reason, _ words: String, _ state: inout State
    ) {
        state.figures.fallbacks[reason, default: 0] += 1
        state.figures.lastFallback = "\(reason.rawValue): \(words)"
    }

    private static func mark(_ content: ContentID, _ state: inout State, seconds: Double) {
        if state.entries.count >= countMax {
            state.entries = state.entries.filter {
                if case .unusable = $0.value { false } else { true }
            }
        }
        state.entries[content] = .unusable(until: .now.advanced(bySeconds: seconds))
    }

    /// Forgets what was used longest ago; it can be asked for again.
    private static func shrink(_ state: inout State, keeping newest: ContentID) {
        var ready: [(content: ContentID, cost: Int, usedAt: UInt64)] = []
        for (content, entry) in state.entries where content != newest {
            if case .ready(let file, let usedAt) = entry {
                ready.append((content, file.costBytes, usedAt))
            }
        }
        var cost = ready.reduce(0) { $0 + $1.cost }
        if case .ready(let file, _) = state.entries[newest] { cost += file.costBytes }
        for old in ready.sorted(by: { $0.usedAt < $1.usedAt }) {
            guard cost > costBytesMax || state.entries.count > countMax else { return }
            state.entries[old.content] = nil
            cost -= old.cost
        }
    }
}
