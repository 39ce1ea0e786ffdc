import HubClient
import Logging
import Platform
import Synchronization

/// What every open content shares with the others of its cache.
final class ContentServices: Sendable {
    let configuration: CacheConfiguration
    let folder: CacheFolder
    let origin: any ContentOrigin
    let small: SmallContents
    let unkept: UnkeptBlocks
    let budget: PrefetchBudget
    let aheadBudget: AheadBudget
    let ahead = AheadCounts()
    let ledger: SpaceLedger
    /// The official client's cache; nil when it is not to be used.
    let lower: LowerLayer?
    let timers: TimerQueue
    /// Runs what time-outs decide; answers readers.
    let ticker: Worker
    /// Hashes contents whose readers wait for it; these are small, and must not stand behind
    /// large ones or behind syncs.
    let verifier: Worker
    /// Hashes large contents, compares stored blocks with their checksums, syncs and seals.
    let scrubber: Worker
    let logger: Logger
    private let hooks = Guarded(Hooks(), rank: .leaf)
    private let sealCount = Atomic<Int>(0)

    /// Contents that wait to be synced keep their descriptors open; more than this are not sealed
    /// now but when they are next opened, after another look at their digest.
    private static let sealCountMax = 128

    private struct Hooks {
        var onContentDropped: (@Sendable (ContentID) -> Void)?
        var onPressure: (@Sendable () -> Void)?
        var onBudgetFreed: (@Sendable () -> Void)?
        var onOpened: (@Sendable (ContentLocation) -> Void)?
        var onMissed: (@Sendable (ContentID) -> Void)?
        var onStreamed: (@Sendable (ContentLocation) -> Void)?
        var onRead: (@Sendable (Range<UInt64>, ContentLocation) -> Void)?
        var onKernelReads: (@Sendable (ContentLocation) -> Void)?
        var onVerified: (@Sendable (ContentLocation) -> Void)?
        var onWrong: (@Sendable (ContentID) -> Void)?
        var isClosing = false
    }

    init(
        configuration: CacheConfiguration, folder: CacheFolder, origin: any ContentOrigin,
        prefetchCountMax: Int, small: SmallContents, ledger: SpaceLedger, lower: LowerLayer?,
        timers: TimerQueue,
        logger: Logger
    ) {
        self.configuration = configuration
        self.folder = folder
        self.origin = origin
        self.small = small
        self.ledger = ledger
        self.lower = lower
        self.timers = timers
        self.logger = logger
        unkept = UnkeptBlocks(byteCountMax: configuration.unkeptBytesMax)
        budget = PrefetchBudget(
            fetchCountMax: prefetchCountMax,
            byteCountMax: configuration.prefetchBytesMax)
        aheadBudget = AheadBudget(
            smallCountMax: configuration.smallPrefetchCountMax, large: budget)
        ticker = Worker(name: "hubfs-ticks")
        verifier = Worker(name: "hubfs-verify")
        scrubber = Worker(name: "hubfs-scrub", isPatient: true)
    }

    /// Has `job`, which syncs a verified content, run soon, or never if too many wait.
    func scheduleSeal(_ job: @escaping @Sendable () -> Void) {
        guard sealCount.add(1, ordering: .relaxed).oldValue < Self.sealCountMax,
            scrubber.submit({ [self] in
                job()
                sealCount.subtract(1, ordering: .relaxed)
            })
        else {
            sealCount.subtract(1, ordering: .relaxed)
            return
        }
    }

    var now: MonotonicInstant { configuration.time.now }

    /// Whether a content is verified before its first byte is served.
    func servesWhole(_ location: ContentLocation) -> Bool {
        if case .git = location.content { return true }
        return location.size <= configuration.wholeBytesMax
    }

    var transferLimits: TransferLimits {
        TransferLimits(
            timeoutSeconds: configuration.readTimeoutSeconds,
            hedgeSeconds: configuration.hedgeSeconds)
    }

    /// How often boards with readers are looked after.
    var tickSeconds: Double {
        min(1, configuration.hedgeSeconds / 3, configuration.readTimeoutSeconds / 4)
    }

    /// Whether the cache closes: long jobs end early.
    var isClosing: Bool { hooks.withLock { $0.isClosing } }

    func setHooks(
        onContentDropped: (@Sendable (ContentID) -> Void)? = nil,
        onPressure: (@Sendable () -> Void)? = nil, onBudgetFreed: (@Sendable () -> Void)? = nil,
        onOpened: (@Sendable (ContentLocation) -> Void)? = nil,
        onMissed: (@Sendable (ContentID) -> Void)? = nil,
        onStreamed: (@Sendable (ContentLocation) -> Void)? = nil,
        onRead: (@Sendable (Range<UInt64>, ContentLocation) -> Void)? = nil,
        onKernelReads: (@Sendable (ContentLocation) -> Void)? = nil,
        onVerified: (@Sendable (ContentLocation) -> Void)? = nil,
        onWrong: (@Sendable (ContentID) -> Void)? = nil
    ) {
        hooks.withLock { hooks in
            if let onContentDropped { hooks.onContentDropped = onContentDropped }
            if let onPressure { hooks.onPressure = onPressure }
            if let onBudgetFreed { hooks.onBudgetFreed = onBudgetFreed }
            if let onOpened { hooks.onOpened = onOpened }
            if let onMissed { hooks.onMissed = onMissed }
            if let onStreamed { hooks.onStreamed = onStreamed }
            if let onRead { hooks.onRead = onRead }
            if let onKernelReads { hooks.onKernelReads = onKernelReads }
            if let onVerified { hooks.onVerified = onVerified }
            if let onWrong { hooks.onWrong = onWrong }
        }
    }

    func contentDropped(_ content: ContentID) {
        let (onWrong, onDropped) = hooks.withLock { ($0.onWrong, $0.onContentDropped) }
        onWrong?(content)
        onDropped?(content)
    }

    /// A content is whole in its file, and its digest is right.
    func verified(_ location: ContentLocation) { hooks.withLock { $0.onVerified }?(location) }

    func budgetFreed() { hooks.withLock { $0.onBudgetFreed }?() }

    /// A large part of a content was read in order, and more of it is wanted.
    func streamed(_ location: ContentLocation) { hooks.withLock { $0.onStreamed }?(location) }

    /// Bytes are read that were not read since their content was opened.
    func read(_ bytes: Range<UInt64>, of location: ContentLocation) {
        hooks.withLock { $0.onRead }?(bytes, location)
    }

    /// The kernel reads a content by itself, and tells nobody.
    func kernelReads(_ location: ContentLocation) {
        hooks.withLock { $0.onKernelReads }?(location)
    }

    /// A content is opened to be read.
    func opened(_ location: ContentLocation) { hooks.withLock { $0.onOpened }?(location) }

    /// A reader waits for a content that is fetched whole and that nobody had foreseen.
    func missed(_ content: ContentID) { hooks.withLock { $0.onMissed }?(content) }

    /// Takes disk room for a block, to be settled when it is written; asks for eviction when room is
    /// or gets scarce.
    func reserve(_ bytes: UInt64) -> Bool {
        let isReserved = ledger.reserve(bytes)
        if !isReserved || ledger.excessBytes > 0 || ledger.isDueForMeasurement { lookForRoom() }
        return isReserved
    }

    /// Has what is used counted anew soon, and what is too much evicted.
    func lookForRoom() { hooks.withLock { $0.onPressure }?() }

    /// Ends the workers; jobs that wait run to their end, which is near once `isClosing`.
    func close() {
        hooks.withLock { $0.isClosing = true }
        ticker.close()
        verifier.close()
        scrubber.close()
    }

    /// Says that closing has begun, before workers are joined.
    func beginClosing() { hooks.withLock { $0.isClosing = true } }
}
