import HubClient
import WriteBack

/// What a daemon tells of its mount: the object that `hubfs status --json` shows.
struct MountStatus {
    var version = hubfsVersion
    var pid: Int32
    var mountPoint: String
    /// The source as an `hf://` address.
    var source: String
    var repo: String
    var revision: String
    /// Folder of the repo that is mounted; "" for all of it.
    var path: String
    var commit: String
    var endpoint: String
    /// Seconds since 1970.
    var startedSeconds: Int64
    var logPath: String?
    var cachePath: String
    /// Disk use of the whole cache and its limit.
    var cacheBytes: UInt64
    var cacheLimitBytes: UInt64
    /// Requests and bytes of bodies by class: `api`, `resolve`, `cdn`, `cas`, `xorb`.
    var requests: [String: UInt64]
    var bytesReceived: [String: UInt64]
    var retryCount: UInt64
    var lastError: String?
    var lastErrorSeconds: Int64?
    /// What is known of edits; nil on a mount that is read only.
    var edits: EditStatus?
    /// Nil from a daemon of an older version.
    var kernel: KernelStatus?
    /// Nil from a mount that uses no chunks, and from a daemon of an older version.
    var chunks: ChunkStatus?
    /// nil on a mount that does not follow its branch by itself.
    var follow: FollowReport?
    /// What is open of the whole Hub; nil on a mount of one repo, which has `repo`, `revision`, `path` and
    /// `commit` instead.
    var tree: TreeReport?
}

extension MountStatus {
    var showsBucket: Bool { source.hasPrefix("hf://\(RepoKind.bucket.apiName)/") }

    /// What is mounted, for people.
    var sourceText: String { showsBucket ? source : "\(source) at \(revision)" }

    /// What `commit` is called: a bucket has states.
    var commitName: String { showsBucket ? "state" : "commit" }
}

/// What a daemon tells of a writable mount's edits.
struct EditStatus: Sendable {
    /// Where they are kept.
    var workspacePath: String
    /// The step of the commit under way: a `CommitProgress.Step`.
    var step: String
    /// Bytes of that step.
    var doneBytes: UInt64
    var totalBytes: UInt64
    /// How the last commit ended.
    var last: CommitResult?
    /// The branch or pull request that commits go to.
    var ref = ""

    var isCommitting: Bool { step != CommitProgress.Step.idle.rawValue }

    /// `uploading 1.0 MiB of 3.0 MiB`, for people.
    var progressText: String {
        totalBytes > 0
            ? "\(step) \(readableSize(doneBytes)) of \(readableSize(totalBytes))" : step
    }

    var json: JSON {
        .object([
            "workspace": .string(workspacePath), "step": .string(step),
            "doneBytes": .count(doneBytes), "totalBytes": .count(totalBytes),
            "lastCommit": last?.json ?? .null, "ref": .string(ref),
        ])
    }

    init(
        workspacePath: String, step: String, doneBytes: UInt64, totalBytes: UInt64,
        last: CommitResult?, ref: String = ""
    ) {
        self.workspacePath = workspacePath
        self.step = step
        self.doneBytes = doneBytes
        self.totalBytes = totalBytes
        self.last = last
        self.ref = ref
    }

    /// A commit without a mount.
    init(_ progress: CommitProgress) {
        self.init(
            workspacePath: "", step: progress.step.rawValue, doneBytes: progress.doneBytes,
            totalBytes: progress.totalBytes, last: nil)
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let workspace = json["workspace"]?.string, let step = json["step"]?.string,
            let done = json["doneBytes"]?.unsigned, let total = json["totalBytes"]?.unsigned
        else { return nil }
        self.init(
            workspacePath: workspace, step: step, doneBytes: done, totalBytes: total,
            last: json["lastCommit"].flatMap { CommitResult($0) }, ref: json["ref"]?.string ?? "")
    }
}

extension MountStatus {
    var json: JSON {
        let lastError: JSON =
            if let text = self.lastError {
                .object([
                    "message": .string(text),
                    "time": .string(utcTime(seconds: lastErrorSeconds ?? 0)),
                    "seconds": .integer(lastErrorSeconds ?? 0),
                ])
            } else {
                .null
            }
        return .object([
            "version": .string(version), "pid": .integer(Int64(pid)),
            "mountPoint": .string(mountPoint), "source": .string(source), "repo": .string(repo),
            "revision": .string(revision), "path": .string(path), "commit": .string(commit),
            "endpoint": .string(endpoint), "startedSeconds": .integer(startedSeconds),
            "log": .optional(logPath),
            "cache": .object([
                "path": .string(cachePath), "bytes": .count(cacheBytes),
                "limitBytes": .count(cacheLimitBytes),
            ]),
            "requests": .object(requests.mapValues { .count($0) }),
            "bytesReceived": .object(bytesReceived.mapValues { .count($0) }),
            "retries": .count(retryCount), "lastError": lastError,
            "edits": edits?.json ?? .null, "kernel": kernel?.json ?? .null,
            "xet": chunks?.json ?? .null,
            "follow": follow?.json ?? .null, "tree": tree?.json ?? .null,
        ])
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let version = json["version"]?.string, let pid = json["pid"]?.integer,
            let mountPoint = json["mountPoint"]?.string, let source = json["source"]?.string,
            let repo = json["repo"]?.string, let revision = json["revision"]?.string,
            let path = json["path"]?.string, let commit = json["commit"]?.string,
            let endpoint = json["endpoint"]?.string,
            let startedSeconds = json["startedSeconds"]?.integer, let cache = json["cache"],
            let cachePath = cache["path"]?.string, let cacheBytes = cache["bytes"]?.unsigned,
            let cacheLimitBytes = cache["limitBytes"]?.unsigned,
            let requests = json["requests"]?.members,
            let bytesReceived = json["bytesReceived"]?.members,
            let retryCount = json["retries"]?.unsigned
        else { return nil }
        self.init(
            version: version, pid: Int32(clamping: pid), mountPoint: mountPoint, source: source,
            repo: repo, revision: revision, path: path, commit: commit, endpoint: endpoint,
            startedSeconds: startedSeconds, logPath: json["log"]?.string, cachePath: cachePath,
            cacheBytes: cacheBytes, cacheLimitBytes: cacheLimitBytes,
            requests: requests.compactMapValues(\.unsigned),
            bytesReceived: bytesReceived.compactMapValues(\.unsigned), retryCount: retryCount,
            lastError: json["lastError"]?["message"]?.string,
            lastErrorSeconds: json["lastError"]?["seconds"]?.integer,
            edits: json["edits"].flatMap { EditStatus($0) },
            kernel: json["kernel"].flatMap { KernelStatus($0) },
            chunks: json["xet"].flatMap { ChunkStatus($0) },
            follow: json["follow"].flatMap { FollowReport($0) },
            tree: json["tree"].flatMap { TreeReport($0) })
    }
}
