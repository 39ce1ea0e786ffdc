import HubClient
import Logging
import Platform
import SystemPackage

/// Makes room: measures the folder and removes whole contents, least recently used first.
///
/// Contents that any process has open stay, and those that edits stand on. Small contents count by the bytes of their rows.
final class Evictor: Sendable {
    /// A run that could not free enough is not repeated sooner than this.
    static let restSeconds = 2.0
    /// A run looks again when it has freed what it was to free, since others wrote meanwhile; so often.
    private static let lookCountMax = 4

    private struct State {
        var isRequested = false
        var notBefore = MonotonicInstant(nanoseconds: 0)
    }

    /// Something that can be removed.
    private struct Candidate {
        let hex: String
        let bytes: UInt64
        let lastUse: Int64
        let isRow: Bool
    }

    private let folder: CacheFolder
    private let database: CacheDatabase
    private let small: SmallContents
    private let useLog: UseLog
    private let ledger: SpaceLedger
    private let registry: ContentRegistry
    private let pins: @Sendable () -> Set<ContentID>
    private let time: any TimeSource
    private let logger: Logger
    private let state = Guarded(State(), rank: .leaf)

    init(
        folder: CacheFolder, database: CacheDatabase, small: SmallContents, useLog: UseLog,
        ledger: SpaceLedger, registry: ContentRegistry,
        pins: @escaping @Sendable () -> Set<ContentID>, time: any TimeSource, logger: Logger
    ) {
        self.folder = folder
        self.database = database
        self.small = small
        self.useLog = useLog
        self.ledger = ledger
        self.registry = registry
        self.pins = pins
        self.time = time
        self.logger = logger
    }

    /// Has one run made soon, unless one is about to be or has just failed to free anything.
    func request(on worker: Worker) {
        let now = time.now
        let mustSubmit = state.withLock { state in
            guard !state.isRequested, now >= state.notBefore else { return false }
            state.isRequested = true
            return true
        }
        guard mustSubmit else { return }
        _ = worker.submit { [self] in
            state.withLock { $0.isRequested = false }
            run()
        }
    }

    private func run() {
        useLog.flush()
        do throws(CacheError) {
            // One process at a time: two would make the same room twice.
            guard let turn = try takeTurn() else { return rest() }
            defer { try? turn.close() }
            for _ in 0..<Self.lookCountMax {
                let survey = try measure()
                let excess = ledger.excessBytes
                guard excess > 0 else { return }
                let freed = try evict(excess, from: try candidates(survey))
                logger.info("evicted \(freed) bytes of \(excess)")
                if freed < excess { break }
            }
            _ = try measure()
        } catch {
            logger.warning("no room could be made: \(error)")
        }
        if ledger.excessBytes > 0 { rest() }
    }

    private func rest() {
        state.withLock { $0.notBefore = time.now.advanced(bySeconds: Self.restSeconds) }
    }

    /// - Returns: nil while another process makes room.
    private func takeTurn() throws(CacheError) -> FileDescriptor? {
        do throws(Errno) {
            let file = try openForUpdate(folder.evictionLock, creates: true)
            if try file.lock(.exclusive, waits: false) { return file }
            try? file.close()
            return nil
        } catch {
            throw .disk(error, path: folder.evictionLock.string)
        }
    }

    private func measure() throws(CacheError) -> SpaceSurvey {
        var survey: SpaceSurvey?
        try ledger.measure { () throws(CacheError) in
            let found = try SpaceSurvey(folder)
            survey = found
            return found.countedBytes(logBytesMax: ledger.logBytesMax)
        }
        return survey!
    }

    /// What could go, the least recently used first. A content without a row was never noted: its
    /// process was killed, or its row was lost; it goes first.
    private func candidates(_ survey: SpaceSurvey) throws(CacheError) -> [Candidate] {
        var lastUses: [String: Int64] = [:]
        for use in try database.contentUses() { lastUses[use.hex] = use.lastUse }
        let files = survey.items.map { item in
            Candidate(
                hex: item.hex, bytes: item.diskBytes, lastUse: lastUses[item.hex] ?? 0, isRow: false
            )
        }
        let rows = try small.rowUses().map { row in
            Candidate(hex: row.hex, bytes: row.size, lastUse: row.lastUse, isRow: true)
        }
        return (files + rows).sorted { $0.lastUse < $1.lastUse }
    }

    private func evict(
        _ excess: UInt64, from candidates: [Candidate]
    ) throws(CacheError) -> UInt64 {
        let kept = registry.openNames.union(pins().map(\.hex))
        var freed: UInt64 = 0
        var files: [String] = []
        var rows: [String] = []
        for candidate in candidates where freed < excess && !kept.contains(candidate.hex) {
            if candidate.isRow {
                rows.append(candidate.hex)
                freed += candidate.bytes
                continue
            }
            do throws(Errno) {
                guard try ContentRemoval.remove(candidate.hex, from: folder) == .removed else {
                    continue
                }
            } catch {
                throw .disk(error, path: folder.data(of: candidate.hex).string)
            }
            files.append(candidate.hex)
            freed += candidate.bytes
        }
        try database.forget(files + rows)
        try small.remove(rows)
        try small.giveBackFreePages()
        return freed
    }
}
