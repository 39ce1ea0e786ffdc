package import HubClient
import Platform
import Synchronization
import SystemPackage

/// One content as the readers of this process share it: what is present is read at once, what is
/// not is fetched while the reader is parked.
///
/// ```
///          boot id changed                  last block, digest right        synced
/// checking ───────────────▶ partial ───────▶ verified ─────────────────────▶ sealed
///                              │  ▲             │ a block was pushed out of memory
///                              │  └─────────────┘
///                              └────────▶ failed: the digest is wrong
/// ```
package final class OpenContent: Sendable {
    /// Called once when a parked read ends.
    package typealias ReadCompletion = @Sendable (Result<Void, CacheError>) -> Void

    /// How much of a content is here and can be believed.
    package enum State: UInt8, Sendable {
        /// Stored blocks are compared with their checksums after a restart of the machine.
        case checking
        /// Some blocks, or all but not yet verified.
        case partial
        /// Whole, its digest is right.
        case verified
        /// Verified and synced: never checked again.
        case sealed
        /// Its bytes were wrong; every read fails.
        case failed
    }

    enum Body: Sendable {
        /// A row of small.db.
        case row
        case file(ContentFile)
        /// A file of the official client's cache, whole.
        case lower(LowerFile)
        /// Nothing can be kept on disk: memory alone.
        case memory
    }

    /// Who is parked on the board, with his number there.
    enum Parked: Sendable {
        case read(ReadCompletion, offset: UInt64, count: Int, number: Int)
        /// All readers in `deferred`, who wait for the whole content.
        case whole(number: Int)
    }

    struct Deferred: Sendable {
        let offset: UInt64
        let count: Int
        let completion: ReadCompletion
    }

    struct Transfers {
        var board: TransferBoard<Parked>
        /// Fetches under way. Invariant: a fetch on the board is here or about to be.
        var handles: [Int: any Fetch] = [:]
        /// What each prefetch of a stream has taken.
        var budgeted: [Int: Budgeted] = [:]
        /// Who is told of the end of what the prefetcher had ordered.
        var aheadEnds: [Int: @Sendable (Result<Void, HubError>) -> Void] = [:]
        /// Blocks being written. Invariant: never present.
        var writing: Set<Int> = []
        /// Readers who wait for the content to be checked or verified, by ticket.
        var deferred: [Int: Deferred] = [:]
        var lastDeferred = 0
        /// The board's number of `Parked.whole`, until those in `deferred` are answered: the blocks
        /// must stay while they are verified.
        var wholeWaiter: Int?
        /// Times that blocks went missing between their arrival and their verification.
        var lossCount = 0
        /// Blocks before this one are present in the file.
        var firstAbsentHint = 0
        var recentFailures = RecentFailures()
        var isVerifying = false
        var isTicking = false
        var failure: CacheError?
    }

    /// What a prefetch of a stream has taken from the budget.
    struct Budgeted {
        let byteCount: UInt64
        /// Room was taken in memory as well: the disk has none.
        let isInMemory: Bool
    }

    package let location: ContentLocation
    let geometry: BlockGeometry
    /// Names this object among all that were opened.
    let number: Int
    let body: Body
    let services: ContentServices
    /// Verified before the first byte is served; else served block by block.
    let servesWhole: Bool
    private let phase: Atomic<UInt8>
    /// What was read of it; one bit is enough for what is fetched whole.
    let touched: TouchMap
    /// What was fetched ahead of its reader, and not read yet.
    let unreadAhead: TouchMap
    /// There was no row when it was looked for: nobody looks again, until there is one from here. One that
    /// another process writes meanwhile is not found by this object.
    let isRowAbsent = Atomic(false)
    let layoutSearch: LayoutSearch
    let transfers: Guarded<Transfers>
    let streams: Guarded<StreamDetector>
    let registry: ContentRegistry

    init(
        _ location: ContentLocation, number: Int, body: Body, services: ContentServices,
        registry: ContentRegistry
    ) {
        self.location = location
        self.number = number
        self.body = body
        self.services = services
        self.registry = registry
        geometry = BlockGeometry(size: location.size)
        servesWhole = services.servesWhole(location)
        layoutSearch = LayoutSearch(path: location.path)
        touched = TouchMap(blockCount: servesWhole ? 1 : geometry.blockCount)
        unreadAhead = TouchMap(blockCount: geometry.blockCount)
        transfers = Guarded(
            Transfers(board: TransferBoard(limits: services.transferLimits)), rank: .blockWaiters)
        streams = Guarded(
            StreamDetector(
                size: location.size, policy: services.configuration.readahead,
                hasHeader: layoutReader(forPath: location.path)?.isAtStart ?? false),
            rank: .readahead)
        phase = Atomic(Self.firstState(location, body, services).rawValue)
    }

    package var state: State { State(rawValue: phase.load(ordering: .acquiring))! }

    func setState(_ state: State) { phase.store(state.rawValue, ordering: .releasing) }

    /// Ends one use of the content. The last one stops its fetches, and answers what is still
    /// parked with `.closed`.
    package func close() {
        guard registry.release(self) else { return }
        leaveUnread()
        retire()
    }

    /// Answers everybody with `.closed` and cancels every fetch.
    func retire() {
        end(with: .closed)
    }

    /// Fails every reader, present and future, and cancels every fetch.
    func end(with error: CacheError) {
        var actions = TransferActions<Parked>()
        let parked = transfers.withLock { transfers in
            if transfers.failure == nil { transfers.failure = error }
            return transfers.board.removeAll(actions: &actions)
        }
        for case .read(let completion, _, _, _) in parked { completion(.failure(error)) }
        answerDeferred(.failure(error))
        perform(actions)
        services.unkept.removeAll(of: number)
    }

    /// Answers those who wait for the content to be checked or verified.
    ///
    /// - Parameter change: What becomes of the content; done before anybody can park anew.
    func answerDeferred(
        _ result: Result<Void, CacheError>, after change: (inout Transfers) -> Void = { _ in }
    ) {
        let (readers, whole) = transfers.withLock { transfers in
            change(&transfers)
            defer {
                transfers.deferred = [:]
                transfers.wholeWaiter = nil
            }
            return (Array(transfers.deferred.values), transfers.wholeWaiter)
        }
        for reader in readers { reader.completion(result) }
        if let whole { releaseRoom(whole) }
    }

    private static func firstState(
        _ location: ContentLocation, _ body: Body, _ services: ContentServices
    ) -> State {
        if case .lower(let file) = body {
            return file.isTrusted || services.servesWhole(location) ? .sealed : .partial
        }
        guard case .file(let file) = body else { return .partial }
        if file.sidecar.isSealed { return .sealed }
        return file.sidecar.bootID == services.configuration.bootID ? .partial : .checking
    }
}

/// A parked read that its reader may give up.
package final class ReadTicket: Sendable {
    private let give: @Sendable () -> Void

    init(_ cancel: @escaping @Sendable () -> Void) { give = cancel }

    /// Ends the read with `.cancelled`, unless it was answered already. Fetches that nobody else
    /// waits for are cancelled.
    package func cancel() { give() }
}
