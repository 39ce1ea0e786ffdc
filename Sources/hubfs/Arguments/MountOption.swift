/// The options of a mount that can be written both as `--name value` and as `-o name=value`.
enum MountOption: String, CaseIterable {
    case allowOther = "allow-other"
    case branch
    case cacheDir = "cache-dir"
    case cacheFree = "cache-free"
    case cacheSize = "cache-size"
    case commit
    case createBranch = "create-branch"
    case createPr = "create-pr"
    case endpoint
    case flush
    case follow
    case foreground
    case gid
    case logFile = "log-file"
    case logLevel = "log-level"
    case message
    case metrics
    case namesTtl = "names-ttl"
    case noHfCache = "no-hf-cache"
    case noReplay = "no-replay"
    case noXet = "no-xet"
    case offline
    case onConflict = "on-conflict"
    case readOnly = "read-only"
    case readTimeout = "read-timeout"
    case record
    case repoIdle = "repo-idle"
    case replay
    case shutdownTimeout = "shutdown-timeout"
    case tokenFile = "token-file"
    case uid
    case umask
    case workspace
    case writable

    var takesValue: Bool {
        switch self {
        case .allowOther, .createBranch, .createPr, .foreground, .noHfCache, .noReplay,
            .noXet, .offline, .readOnly, .writable:
            false
        case .branch, .cacheDir, .cacheFree, .cacheSize, .commit, .endpoint, .flush, .follow, .gid,
            .logFile, .logLevel,
            .message, .metrics, .namesTtl,
            .onConflict, .readTimeout, .record, .repoIdle, .replay, .shutdownTimeout, .tokenFile,
            .uid, .umask,
            .workspace:
            true
        }
    }

    /// The value of an option that is written without one, where that is possible.
    var impliedValue: String? { self == .follow ? "30" : nil }

    /// The option as words of a command line.
    func words(_ value: String? = nil) -> [String] {
        guard let value else { return ["--" + rawValue] }
        return impliedValue == nil ? ["--" + rawValue, value] : ["--\(rawValue)=\(value)"]
    }

    /// The word that takes a flag back: see `CommandWords`.
    var denial: String { "--\(rawValue)=false" }

    /// Gives options that may stand without a value the one that is meant. What follows them is never
    /// their value: `--follow=10`, but `--follow SRC DIR`.
    static func withImpliedValues(_ words: [String]) -> [String] {
        var implied: [(word: String, meant: [String])] = allCases.compactMap { option in
            option.impliedValue.map { ("--" + option.rawValue, option.words($0)) }
        }
        if words.first == "stats" { implied.append(("--watch", ["--watch=1"])) }
        let end = words.firstIndex(of: "--") ?? words.endIndex
        return words[..<end].flatMap { word in
            implied.first { $0.word == word }?.meant ?? [word]
        } + words[end...]
    }
}
