package import HubClient
package import Logging
package import Platform

/// The cache of one process: commits and directories, and the bytes of contents.
///
/// Several processes may have the same folder open. Everything cached reads without the Hub.
package final class RepoCache: Sendable {
    package let snapshots: SnapshotStore
    package let contents: ContentStore
    /// Whether the folder lies on a file system that is stacked on another.
    package let isOnOverlay: Bool
    /// Fetches what is foreseen.
    package let prefetcher: Prefetcher
    /// Learns in which order a mount reads.
    package let learned: LearnedPrefetch
    let database: CacheDatabase
    private let small: SmallContents
    private let useLog: UseLog
    private let ledger: SpaceLedger
    /// Runs what SQLite may block: lookups of listings, and everything that is written.
    private let worker: Worker

    /// Opens the cache folder, making it when it is missing.
    ///
    /// - Parameters:
    ///   - chunks: The origin of contents, when it fetches chunks and can use those that are here.
    ///   - timers: Must outlive the cache's `close`.
    package init(
        configuration: CacheConfiguration, contents: any ContentOrigin, trees: any TreeOrigin,
        chunks: XetOrigin? = nil, timers: TimerQueue, logger: Logger
    ) throws(CacheError) {
        let folder = try CacheFolder(configuration.root)
        isOnOverlay = (try? FileSystemFacts(of: folder.root))?.isOverlay ?? false
        let worker = Worker(name: "hubfs-cache")
        let ledger = try SpaceLedger(of: folder, configuration)
        self.ledger = ledger
        let database = try CacheDatabase(in: folder, ledger: ledger)
        self.database = database
        small = SmallContents(
            in: folder, memoryBytesMax: configuration.smallBytesMax, ledger: ledger, worker: worker,
            logger: logger)
        useLog = UseLog(
            database: database, small: small, timers: timers, worker: worker, logger: logger)
        self.worker = worker
        snapshots = SnapshotStore(
            database: database, origin: trees, worker: worker, timers: timers,
            configuration: configuration, logger: logger)
        let services = ContentServices(
            configuration: configuration, folder: folder, origin: contents,
            prefetchCountMax: chunks == nil
                ? configuration.prefetchCountMax : configuration.questionedPrefetchCountMax,
            small: small, ledger: ledger,
            lower: configuration.lowerRoot.map {
                LowerLayer($0, database: database, logger: logger)
            }, timers: timers, logger: logger)
        let contentStore = ContentStore(services: services, useLog: useLog)
        self.contents = contentStore
        prefetcher = Prefetcher(contents: contentStore)
        learned = LearnedPrefetch(
            snapshots: snapshots, database: database, prefetcher: prefetcher,
            services: services, timers: timers, worker: worker, logger: logger)
        let siblings = SiblingPrefetch(snapshots: snapshots)
        let shards = ShardPrefetch(contents: contentStore, snapshots: snapshots)
        // Who knows comes before those who guess.
        prefetcher.add(learned)
        prefetcher.add(siblings)
        prefetcher.add(shards)
        let registry = contentStore.registry
        services.setHooks(
            onBudgetFreed: { [prefetcher] in
                registry.takeHungry()?.resumePrefetch()
                prefetcher.roomFreed()
            },
            onOpened: { [prefetcher] file in
                if siblings.opened(file) { prefetcher.wake() }
            },
            onMissed: { siblings.missed($0) },
            onStreamed: { [prefetcher] file in
                if shards.streamed(file) { prefetcher.wake() }
            },
            onRead: { [learned] bytes, file in learned.read(bytes, of: file) },
            onKernelReads: { [learned] file in learned.kernelReads(file) })
        if let chunks {
            let index = ChunkIndex(
                database, folder, scrubber: services.scrubber, logger: logger,
                isClosing: { [services] in services.isClosing })
            chunks.attach(index)
            services.setHooks(
                onVerified: { [chunks] location in
                    chunks.whenKnown(location.content) { file in
                        if let file { index.learn(location, file) }
                    }
                },
                onWrong: { [chunks] in chunks.wasWrong($0) })
        }
        let evictor = Evictor(
            folder: folder, database: database, small: small, useLog: useLog, ledger: ledger,
            registry: self.contents.registry, pins: configuration.pins, time: configuration.time,
            logger: logger)
        services.setHooks(onPressure: { evictor.request(on: worker) })
    }

    /// Waits until all of the folder is open. What comes from the databases of listings and of revisions
    /// does not wait for that.
    ///
    /// - Throws: why a part cannot be used.
    package func awaitOpening() throws(CacheError) { _ = try small.file }

    /// Writes last-use marks now, for those who look at the cache from outside.
    package func flush() { useLog.flush() }

    /// Bytes of disk that the whole folder uses, as far as this process has measured and counted.
    package var usedBytes: UInt64 {
        ledger.usedBytes + UInt64(database.file.logBytes + ((try? small.file)?.logBytes ?? 0))
    }

    /// Bytes of small contents that wait to be written: who fetches more of them than can be
    /// written waits for this to fall.
    package var unwrittenBytes: Int { small.unwrittenBytes }

    /// Disk use at which contents are evicted.
    package var limitBytes: UInt64 { ledger.limitBytes }

    /// Answers everything that is parked with `.closed`, writes what was noted and ends the
    /// threads. Call once, not from a completion. Bounded by local disk alone.
    package func close() {
        snapshots.close()
        prefetcher.close()
        contents.close()
        useLog.flush()
        worker.close()
        learned.save()
        (try? small.file)?.close()
        database.file.close()
    }
}
