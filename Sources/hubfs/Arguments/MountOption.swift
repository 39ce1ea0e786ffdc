/// The options of a mount that can be written both as `--name value` and as `-o name=value`.
enum MountOption: String, CaseIterable {
    case allowOther = "allow-other"
    case cacheDir = "cache-dir"
    case cacheSize = "cache-size"
    case commit
    case endpoint
    case foreground
    case gid
    case logFile = "log-file"
    case logLevel = "log-level"
    case readOnly = "read-only"
    case readTimeout = "read-timeout"
    case tokenFile = "token-file"
    case uid
    case umask
    case workspace
    case writable

    var takesValue: Bool {
        switch self {
        case .allowOther, .foreground, .readOnly, .writable: false
        case .cacheDir, .cacheSize, .commit, .endpoint, .gid, .logFile, .logLevel, .readTimeout,
            .tokenFile,
            .uid, .umask, .workspace:
            true
        }
    }

    /// The option as words of a command line.
    func words(_ value: String? = nil) -> [String] {
        ["--" + rawValue] + (value.map { [$0] } ?? [])
    }
}
