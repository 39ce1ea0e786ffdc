/// The options of a mount that can be written both as `--name value` and as `-o name=value`.
enum MountOption: String, CaseIterable {
    case allowOther = "allow-other"
    case branch
    case cacheDir = "cache-dir"
    case cacheSize = "cache-size"
    case commit
    case createBranch = "create-branch"
    case createPr = "create-pr"
    case endpoint
    case foreground
    case gid
    case logFile = "log-file"
    case logLevel = "log-level"
    case message
    case onConflict = "on-conflict"
    case readOnly = "read-only"
    case readTimeout = "read-timeout"
    case shutdownTimeout = "shutdown-timeout"
    case tokenFile = "token-file"
    case uid
    case umask
    case workspace
    case writable

    var takesValue: Bool {
        switch self {
        case .allowOther, .createBranch, .createPr, .foreground, .readOnly, .writable: false
        case .branch, .cacheDir, .cacheSize, .commit, .endpoint, .gid, .logFile, .logLevel,
            .message,
            .onConflict, .readTimeout, .shutdownTimeout, .tokenFile, .uid, .umask, .workspace:
            true
        }
    }

    /// The option as words of a command line.
    func words(_ value: String? = nil) -> [String] {
        ["--" + rawValue] + (value.map { [$0] } ?? [])
    }
}
