/// What `hubfs stats` and `--metrics` count. The raw value is the name in JSON; in Prometheus' text
/// `hubfs_` stands before it.
enum FigureFamily: String, CaseIterable, Sendable {
    case mountInfo = "mount_info"
    case startTime = "start_time_seconds"
    case cpu = "cpu_seconds_total"
    case residentMemory = "resident_memory_bytes"
    case budget = "memory_budget_bytes"
    case budgetLimit = "memory_budget_limit_bytes"
    case kernelRequests = "kernel_requests_total"
    case readBytes = "read_bytes_total"
    case writtenBytes = "written_bytes_total"
    case passthroughOpens = "passthrough_opens_total"
    case hubRequests = "hub_requests_total"
    case hubReceivedBytes = "hub_received_bytes_total"
    case hubSentBytes = "hub_sent_bytes_total"
    case hubRetries = "hub_retries_total"
    case hubRequestsUnderWay = "hub_requests_under_way"
    case hubRequestsLeft = "hub_requests_left"
    case hubQuotaReset = "hub_quota_reset_seconds"
    case lastErrorTime = "hub_last_error_time_seconds"
    case aheadBytes = "readahead_fetched_bytes_total"
    case aheadReadBytes = "readahead_used_bytes_total"
    case aheadUnseenBytes = "readahead_unseen_bytes_total"
    case aheadComing = "readahead_under_way_bytes"
    case openContents = "open_contents"
    case cacheBytes = "cache_bytes"
    case cacheLimit = "cache_limit_bytes"
    case dirtyBytes = "dirty_bytes"
    case dirtyFiles = "dirty_files"
    case committing = "committing"
    case openRepos = "open_repos"
    case follows = "follow_moves_total"
    case logLines = "log_lines_total"

    /// What becomes of it: what only grows ends in `_total`, as Prometheus asks.
    var isCounter: Bool { rawValue.hasSuffix("_total") }

    /// What its values are told apart by; nil where there is one value.
    var label: String? {
        switch self {
        case .budget, .budgetLimit: "budget"
        case .kernelRequests: "operation"
        case .hubRequests, .hubReceivedBytes, .hubSentBytes: "part"
        case .hubRequestsLeft, .hubQuotaReset: "quota"
        case .logLines: "level"
        case .mountInfo, .startTime, .cpu, .residentMemory, .readBytes, .writtenBytes,
            .passthroughOpens, .hubRetries, .hubRequestsUnderWay, .lastErrorTime, .aheadBytes,
            .aheadReadBytes, .aheadUnseenBytes, .aheadComing, .openContents, .cacheBytes,
            .cacheLimit, .dirtyBytes, .dirtyFiles, .committing, .openRepos, .follows:
            nil
        }
    }

    /// One sentence, on one line, without a backslash.
    var help: String {
        switch self {
        case .mountInfo: "Always 1; the labels say what is mounted where."
        case .startTime: "When the mount began, in seconds since 1970."
        case .cpu: "Processor time of the daemon."
        case .residentMemory: "Memory of the daemon, as the kernel counts it."
        case .budget: "Memory that holds bytes of files, by what it is for."
        case .budgetLimit: "What that memory may grow to."
        case .kernelRequests:
            "What the kernel has asked for, which is not what it has cached."
        case .readBytes:
            "Bytes answered to reads. Pages of the kernel's and files it reads by itself are not seen."
        case .writtenBytes: "Bytes taken from writers."
        case .passthroughOpens: "Opens of files that the kernel reads by itself from then on."
        case .hubRequests: "Requests to the Hub, repeated ones included."
        case .hubReceivedBytes: "Bytes of bodies received from the Hub."
        case .hubSentBytes: "Bytes of files sent to the Hub."
        case .hubRetries: "Requests to the Hub that were sent again."
        case .hubRequestsUnderWay: "Requests that were begun and have not ended."
        case .hubRequestsLeft: "Requests that the Hub still allows in this window, as it said last."
        case .hubQuotaReset: "Time until that window ends."
        case .lastErrorTime: "When the Hub was last the reason of an error, in seconds since 1970."
        case .aheadBytes: "Bytes that were fetched before anybody had asked for them."
        case .aheadReadBytes: "Of the bytes fetched ahead, those that were read afterwards."
        case .aheadUnseenBytes:
            "Of the bytes fetched ahead, those of files that the kernel then read by itself."
        case .aheadComing: "Bytes that streams have ordered ahead and that have not come."
        case .openContents: "Contents of files that are open."
        case .cacheBytes: "Disk that the cache uses, of all mounts."
        case .cacheLimit: "Disk that it may use."
        case .dirtyBytes: "Bytes of edits that are in no commit."
        case .dirtyFiles: "Files with edits that are in no commit."
        case .committing: "1 while a commit is made, else 0."
        case .openRepos: "Repos of the whole Hub's tree that are open."
        case .follows: "How often the mount has gone to another commit of its branch."
        case .logLines: "Lines logged, those below --log-level not counted."
        }
    }
}
