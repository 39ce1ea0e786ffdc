import Glibc
import HubClient
import RepoCache

/// What a daemon of any mount tells alike: of the Hub it asks, its cache and its log.
struct HubFacts: Sendable {
    let client: HubClient
    let chunks: XetOrigin?
    let cache: RepoCache
    let cachePath: String
    let logPath: String?

    init(_ hub: HubAccess, _ log: DaemonLog) {
        client = hub.client
        chunks = hub.chunks
        cache = hub.cache
        cachePath = hub.cachePath
        logPath = log.path
    }
}

extension MountStatus {
    /// The status of a mount now, without what it shows.
    init(
        at mountPoint: String, source: String, _ facts: HubFacts, startedSeconds: Int64,
        kernel: KernelStatus
    ) {
        let (client, cache) = (facts.client, facts.cache)
        let counters = client.counters.snapshot
        func byClass(_ counts: [HubCounters.Class: UInt64]) -> [String: UInt64] {
            Dictionary(
                uniqueKeysWithValues: HubCounters.Class.allCases.map {
                    ($0.rawValue, counts[$0] ?? 0)
                })
        }
        self.init(
            pid: getpid(), mountPoint: mountPoint, source: source, repo: "", revision: "",
            path: "", commit: "", endpoint: client.configuration.endpoint,
            startedSeconds: startedSeconds, logPath: facts.logPath, cachePath: facts.cachePath,
            cacheBytes: cache.usedBytes, cacheLimitBytes: cache.limitBytes,
            requests: byClass(counters.requests), bytesReceived: byClass(counters.bytesReceived),
            retryCount: counters.retries, lastError: counters.lastError?.sentence,
            lastErrorSeconds: counters.lastErrorSeconds.map { Int64($0) }, kernel: kernel,
            chunks: facts.chunks.map { ChunkStatus($0.figures) })
    }
}
