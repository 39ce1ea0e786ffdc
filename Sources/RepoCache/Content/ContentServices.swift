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
    let ledger: SpaceLedger
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
        var isClosing = false
    }

    init(
        configuration: CacheConfiguration, folder: CacheFolder, origin: any ContentOrigin,
        small: SmallContents, ledger: SpaceLedger, timers: TimerQueue, logger: Logger
    ) {
        self.configuration = configuration
        self.folder = folder
        self.origin = origin
        self.small = small
        self.ledger = ledger
        self.timers = timers
        self.logger = logger
        unkept = UnkeptBlocks(byteCountMax: configuration.unkeptBytesMax)
        budget = PrefetchBudget(
            fetchCountMax: configuration.prefetchCountMax,
            byteCountMax: configuration.prefetchBytesMax)
        ticker = Worker(name: "hubfs-ticks")
        verifier = Worker(name: "hubfs-verify")
        scrubber = Worker(name: "hubfs-scrub")
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
        onPressure: (@Sendable () -> Void)? = nil, onBudgetFreed: (@Sendable () -> Void)? = nil
    ) {
        hooks.withLock { hooks in
            if let onContentDropped { hooks.onContentDropped = onContentDropped }
            if let onPressure { hooks.onPressure = onPressure }
            if let onBudgetFreed { hooks.onBudgetFreed = onBudgetFreed }
        }
    }

    func contentDropped(_ content: ContentID) { hooks.withLock { $0.onContentDropped }?(content) }
    func budgetFreed() { hooks.withLock { $0.onBudgetFreed }?() }

    /// Takes disk room for a block; asks for eviction when it is or gets scarce.
    func reserve(_ bytes: UInt64) -> Bool {
        let isReserved = ledger.reserve(bytes)
        if !isReserved || ledger.excessBytes > 0 || ledger.isDueForMeasurement {
            hooks.withLock { $0.onPressure }?()
        }
        return isReserved
    }

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
