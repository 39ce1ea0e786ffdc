import Platform
import SystemPackage

/// Counts what the cache uses, so that room is reserved before bytes are written.
///
/// Two numbers bound the cache: its own limit, and the bytes of the disk it must leave free. What is used
/// is counted by all processes together (`SharedCount`); what the disk has left, which others change as
/// well, is looked at again and again.
final class SpaceLedger: Sendable {
    /// Who wants room. The last part of the limit is for what contents need besides their bytes.
    enum Purpose {
        case content
        /// Sidecars, rows of the databases.
        case bookkeeping
    }

    private struct Disk {
        var availableBytes: UInt64
        /// Reserved since that was looked at.
        var reservedBytes: UInt64 = 0
    }

    let limitBytes: UInt64
    let floorBytes: UInt64
    /// Bytes the log of each of the two databases may take: see `DatabaseFile`.
    let logBytesMax: Int
    /// The limit without the room that is kept for the logs.
    private let countedLimitBytes: UInt64
    private let contentLimitBytes: UInt64
    private let count: SharedCount
    private let disk: Guarded<Disk>
    private let availableBytes: @Sendable () -> UInt64?

    /// What a log needs at least.
    static let logBytesLeast = 256 << 10
    /// More makes nothing faster.
    private static let logBytesMost = 16 << 20
    private static let databaseCount = 2
    /// Largest part of the limit that is not for contents.
    private static let bookkeepingBytesMax: UInt64 = 16 << 20
    /// The disk is looked at each time so much was reserved.
    private static let lookBytes: UInt64 = 1 << 20
    /// File systems give room by pages.
    private static let pageBytes: UInt64 = 4096

    /// - Parameters:
    ///   - logBytesMax: What each database's log may take; `count` leaves that out.
    ///   - availableBytes: Looks at the disk; nil when that cannot be.
    init(
        limitBytes: UInt64, floorBytes: UInt64, logBytesMax: Int, count: SharedCount,
        availableBytes: @escaping @Sendable () -> UInt64?
    ) {
        self.limitBytes = limitBytes
        self.floorBytes = floorBytes
        self.count = count
        self.availableBytes = availableBytes
        self.logBytesMax = logBytesMax
        countedLimitBytes =
            limitBytes - min(UInt64(2 * Self.databaseCount * logBytesMax), limitBytes)
        contentLimitBytes =
            countedLimitBytes - min(countedLimitBytes / 16, Self.bookkeepingBytesMax)
        disk = Guarded(Disk(availableBytes: availableBytes() ?? 0), rank: .leaf)
    }

    /// Takes room for `bytes` on disk. Whoever gets it says `settle` when they are written, or are not
    /// going to be.
    ///
    /// - Returns: false when there is none; nothing was taken.
    func reserve(_ bytes: UInt64, for purpose: Purpose = .content) -> Bool {
        let bytes = Self.paged(bytes)
        guard diskHasRoom(for: bytes),
            count.reserve(Int64(bytes), limit: Int64(clamping: limit(of: purpose)))
        else { return false }
        disk.withLock { $0.reservedBytes += bytes }
        return true
    }

    /// Ends what `reserve` began, with the same number.
    func settle(_ bytes: UInt64) { count.settle(Int64(Self.paged(bytes))) }

    /// Whether `reserve` would find room for contents now.
    func hasRoom(for bytes: UInt64) -> Bool {
        let bytes = Self.paged(bytes)
        return diskHasRoom(for: bytes) && usedBytes + bytes <= contentLimitBytes
    }

    /// Takes over what a look at the folder finds.
    func measure(_ survey: () throws(CacheError) -> UInt64) throws(CacheError) {
        try count.measure { () throws(CacheError) in Int64(try survey()) }
        lookAtDisk()
    }

    /// Whether so much was reserved that what else was written should be looked at again.
    var isDueForMeasurement: Bool {
        count.unmeasuredBytes > Int64(clamping: max(limitBytes / 32, 1 << 20))
    }

    /// Bytes used, as far as known.
    var usedBytes: UInt64 { UInt64(max(count.usedBytes, 0)) }

    /// Bytes to free so that an eighth of the limit is free for what comes next; 0 while a
    /// sixteenth still is.
    var excessBytes: UInt64 {
        let used = usedBytes
        let available = disk.withLock {
            $0.availableBytes - min($0.reservedBytes, $0.availableBytes)
        }
        let free = min(
            contentLimitBytes - min(used, contentLimitBytes), available - min(floorBytes, available)
        )
        if free >= contentLimitBytes / 16 { return 0 }
        let over = max(
            used - min(used, contentLimitBytes), floorBytes - min(floorBytes, available))
        return contentLimitBytes / 8 - free + over
    }

    private func limit(of purpose: Purpose) -> UInt64 {
        switch purpose {
        case .content: contentLimitBytes
        case .bookkeeping: countedLimitBytes
        }
    }

    private static func logBytesMax(limitBytes: UInt64) -> Int {
        min(max(Int(clamping: limitBytes / 64), logBytesLeast), logBytesMost)
    }

    private func diskHasRoom(for bytes: UInt64) -> Bool {
        let known = disk.withLock { $0 }
        if known.reservedBytes >= Self.lookBytes { lookAtDisk() }
        return disk.withLock { $0.availableBytes >= floorBytes + $0.reservedBytes + bytes }
    }

    /// What is about to be written is not on the disk yet.
    private func lookAtDisk() {
        let pending = UInt64(max(count.pendingBytes, 0))
        guard let available = availableBytes() else { return }
        disk.withLock { $0 = Disk(availableBytes: available - min(pending, available)) }
    }

    private static func paged(_ bytes: UInt64) -> UInt64 {
        (bytes + pageBytes - 1) / pageBytes * pageBytes
    }
}

extension SpaceLedger {
    /// The ledger of a folder. Who is the first to have it open looks at every file of it; the others
    /// know from him what is used.
    convenience init(
        of folder: CacheFolder, _ configuration: CacheConfiguration
    ) throws(CacheError) {
        let root = folder.root
        let available: UInt64
        do throws(Errno) {
            available = try FileSystemFacts(of: root).availableBytes
        } catch {
            throw .disk(error, path: root.string)
        }
        var logBytesMax = Self.logBytesMax(limitBytes: configuration.sizeLimitBytes ?? .max)
        let count = try SharedCount(in: folder) { () throws(CacheError) in
            Int64(try SpaceSurvey(folder).countedBytes(logBytesMax: logBytesMax))
        }
        let used = UInt64(max(count.usedBytes, 0))
        let limit = configuration.sizeLimitBytes ?? (available + used) / 5 * 4
        logBytesMax = Self.logBytesMax(limitBytes: limit)
        self.init(
            limitBytes: limit, floorBytes: configuration.freeFloorBytes, logBytesMax: logBytesMax,
            count: count,
            availableBytes: { try? FileSystemFacts(of: root).availableBytes })
    }
}
