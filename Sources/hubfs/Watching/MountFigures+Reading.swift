import FuseBridge
import Glibc
import HubClient
import Platform
import RepoCache

extension MountFigures {
    /// Reads what a daemon counts of its mount, whatever it shows.
    ///
    /// - Parameters:
    ///   - status: Of the same moment.
    ///   - log: What was logged, by level.
    init(
        _ status: MountStatus, _ facts: HubFacts, _ times: RequestTimes.Snapshot,
        log: [String: UInt64]
    ) {
        mountPoint = status.mountPoint
        source = status.source
        commit = status.commit
        readSeconds = Double(MonotonicInstant.now.nanoseconds) / 1e9
        durations = times.durations
        self[.mountInfo] = 1
        self[.startTime] = Double(status.startedSeconds)
        self[.readBytes] = Double(times.readBytes)
        self[.writtenBytes] = Double(times.writtenBytes)
        set(.kernelRequests, status.kernel?.requests ?? [:])
        self[.passthroughOpens] = Double(status.kernel?.passthroughOpens ?? 0)
        self[.cacheBytes] = Double(status.cacheBytes)
        self[.cacheLimit] = Double(status.cacheLimitBytes)
        self[.openRepos] = status.tree.map { Double($0.repos.count) }
        self[.follows] = status.follow.map { Double($0.moveCount) }
        self[.committing] = status.edits.map { $0.isCommitting ? 1 : 0 }
        set(.logLines, log)
        readProcess()
        read(facts.client, status)
        read(facts.cache.figures)
    }

    /// The edits of a writable mount.
    mutating func setEdited(_ edited: (fileCount: Int, byteCount: UInt64)) {
        self[.dirtyFiles] = Double(edited.fileCount)
        self[.dirtyBytes] = Double(edited.byteCount)
    }

    private mutating func read(_ client: HubClient, _ status: MountStatus) {
        let counters = client.counters.snapshot
        for part in HubCounters.Class.allCases {
            let label = part.rawValue
            self[.hubRequests, label] = Double(counters.requests[part] ?? 0)
            self[.hubReceivedBytes, label] = Double(counters.bytesReceived[part] ?? 0)
            self[.hubSentBytes, label] = Double(counters.bytesSent[part] ?? 0)
        }
        self[.hubRetries] = Double(counters.retries)
        self[.lastErrorTime] = counters.lastErrorSeconds.map { Double($0) }
        self[.hubRequestsUnderWay] = Double(client.requestCount)
        for (quota, rest) in client.rateLimits {
            self[.hubRequestsLeft, quota.rawValue] = Double(rest.remaining)
            self[.hubQuotaReset, quota.rawValue] = rest.secondsToReset
        }
    }

    private mutating func read(_ cache: CacheFigures) {
        self[.aheadBytes] = Double(cache.aheadBytes)
        self[.aheadReadBytes] = Double(cache.aheadReadBytes)
        self[.aheadUnseenBytes] = Double(cache.aheadUnseenBytes)
        self[.aheadComing] = Double(cache.aheadComing.usedBytes)
        self[.openContents] = Double(cache.openContentCount)
        let budgets = [
            ("small_contents", cache.smallContents), ("unkept_blocks", cache.unkeptBlocks),
        ]
        for (name, budget) in budgets {
            self[.budget, name] = Double(budget.usedBytes)
            self[.budgetLimit, name] = Double(budget.limitBytes)
        }
    }

    /// Source: man 5 proc (`/proc/PID/statm`), man 2 getrusage.
    private mutating func readProcess() {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        let (user, system) = (usage.ru_utime, usage.ru_stime)
        let microseconds = user.tv_usec + system.tv_usec
        self[.cpu] = Double(user.tv_sec + system.tv_sec) + Double(microseconds) / 1e6
        let pages = (try? readSmallFile("/proc/self/statm"))?.split(separator: " ")
        if let pages = pages?.dropFirst().first.flatMap({ Double($0) }) {
            self[.residentMemory] = pages * Double(sysconf(Int32(_SC_PAGESIZE)))
        }
    }

    private mutating func set(_ family: FigureFamily, _ counts: [String: UInt64]) {
        for (label, count) in counts { self[family, label] = Double(count) }
    }
}
