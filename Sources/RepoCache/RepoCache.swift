package import HubClient
package import Logging
package import Platform

/// The cache of one process: commits and directories, and the bytes of contents.
///
/// Several processes may have the same folder open. Everything cached reads without the Hub.
package final class RepoCache: Sendable {
    package let snapshots: SnapshotStore
    package let contents: ContentStore
    private let database: CacheDatabase
    private let small: SmallContents
    private let useLog: UseLog
    private let ledger: SpaceLedger
    /// Runs what SQLite may block: lookups of listings, and everything that is written.
    private let worker: Worker

    /// Opens the cache folder, making it when it is missing.
    ///
    /// - Parameters:
    ///   - timers: Must outlive the cache's `close`.
    package init(
        configuration: CacheConfiguration, contents: any ContentOrigin, trees: any TreeOrigin,
        timers: TimerQueue, logger: Logger
    ) throws(CacheError) {
        let folder = try CacheFolder(configuration.root)
        let worker = Worker(name: "hubfs-cache")
        database = try CacheDatabase(in: folder)
        small = try SmallContents(
            in: folder, memoryBytesMax: configuration.smallBytesMax, worker: worker, logger: logger)
        useLog = UseLog(
            database: database, small: small, timers: timers, worker: worker, logger: logger)
        self.worker = worker
        snapshots = SnapshotStore(
            database: database, origin: trees, worker: worker, timers: timers,
            configuration: configuration, logger: logger)
        let ledger = try SpaceLedger(measuring: folder, configuration)
        self.ledger = ledger
        let services = ContentServices(
            configuration: configuration, folder: folder, origin: contents, small: small,
            ledger: ledger, timers: timers, logger: logger)
        self.contents = ContentStore(services: services, useLog: useLog)
        let evictor = Evictor(
            folder: folder, database: database, small: small, useLog: useLog, ledger: ledger,
            registry: self.contents.registry, time: configuration.time, logger: logger)
        services.setHooks(onPressure: { evictor.request(on: worker) })
    }

    /// Writes last-use marks now, for those who look at the cache from outside.
    package func flush() { useLog.flush() }

    /// Bytes of disk that the whole folder uses, as far as this process has measured and counted.
    package var usedBytes: UInt64 { ledger.usedBytes }

    /// Disk use at which contents are evicted.
    package var limitBytes: UInt64 { ledger.limitBytes }

    /// Answers everything that is parked with `.closed`, writes what was noted and ends the
    /// threads. Call once, not from a completion. Bounded by local disk alone.
    package func close() {
        snapshots.close()
        contents.close()
        useLog.flush()
        worker.close()
        small.file.close()
        database.file.close()
    }
}
