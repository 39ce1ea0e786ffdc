import Platform

/// What stands behind `-o`: `allow_other,cache-size=10G,_netdev`.
///
/// Own options have the names of the long options, with `-` or `_`. What fstab lines contain for
/// mount(8), systemd and the kernel is accepted without effect; anything else is refused, so that a
/// misspelt option is not lost.
struct MountOptionList {
    /// The own options, as words of the command line.
    let words: [String]
    /// What `config` names; only mount(8) has it here.
    let configFile: String?

    /// - Parameter ofMountProgram: mount(8) has written `rw` and `ro`, not a user. Its `ro` keeps a
    ///   configuration file from making the mount writable, and nothing else.
    /// - Throws: `Failure` with code `usage`.
    init(_ text: String, ofMountProgram: Bool) throws(Failure) {
        var words: [String] = []
        var configFile: String?
        for option in Self.split(text) {
            let equals = option.firstIndex(of: "=")
            let name = String(option[..<(equals ?? option.endIndex)])
            let value = equals.map { String(option[option.index(after: $0)...]) }
            if name == "config" {
                guard ofMountProgram, let value, !value.isEmpty else {
                    throw Failure(.usage, "the configuration file is named by --config FILE")
                }
                configFile = value
                continue
            }
            if !ofMountProgram, name == "rw" { words += MountOption.writable.words() }
            if !ofMountProgram, name == "ro" { words += MountOption.readOnly.words() }
            if ofMountProgram, name == "ro" { words.insert(MountOption.writable.denial, at: 0) }
            if Self.isIgnored(name) { continue }
            words += try Self.ownWords(name, value)
        }
        self.words = words
        self.configFile = configFile
    }

    private static func ownWords(
        _ name: String, _ value: String?
    ) throws(Failure) -> [String] {
        let spelling = String(name.map { $0 == "_" ? "-" : $0 })
        guard let option = MountOption(rawValue: spelling) else {
            let known = MountOption.allCases.map(\.rawValue)
            let hint = suggestion(for: spelling, among: known).map { "; did you mean '\($0)'?" }
            throw Failure(
                .usage,
                "unknown mount option '\(name)'"
                    + (hint ?? "; known are \(known.joined(separator: ", "))"))
        }
        switch (option.takesValue, value ?? option.impliedValue) {
        case (true, nil), (true, ""):
            throw Failure(.usage, "the mount option '\(name)' needs a value: \(name)=…")
        case (false, "true"): return option.words()
        case (false, "false"): return [option.denial]
        case (false, .some):
            throw Failure(.usage, "the mount option '\(name)' takes no value")
        case (_, let value): return option.words(value)
        }
    }

    /// Splits at commas; a backslash keeps a comma, as libfuse has it.
    private static func split(_ text: String) -> [String] {
        var options = [""]
        var isEscaped = false
        for character in text {
            switch character {
            case "\\" where !isEscaped: isEscaped = true
            case "," where !isEscaped: options.append("")
            default:
                options[options.count - 1].append(character)
                isEscaped = false
            }
        }
        return options.filter { !$0.isEmpty }
    }

    private static func isIgnored(_ name: String) -> Bool {
        name.hasPrefix("x-") || name.hasPrefix("X-") || foreign.contains(name)
    }

    /// Options for others. Mounts are `nosuid,nodev,noatime` in any case, and no file of theirs has
    /// a permission to execute, so `noexec` holds too.
    private static let foreign: Set<String> = [
        "_netdev", "async", "atime", "auto", "comment", "default_permissions", "defaults", "dev",
        "diratime", "dirsync", "exec", "group", "helper", "iversion", "lazytime", "loud", "mand",
        "noatime", "noauto", "nodev", "nodiratime", "noexec", "nofail", "nogroup", "noiversion",
        "nolazytime", "nomand", "noowner", "norelatime", "nostrictatime", "nosuid", "nouser",
        "nousers", "owner", "relatime", "ro", "rw", "silent", "strictatime", "suid", "sync",
        "uhelper", "user", "users",
    ]
}
