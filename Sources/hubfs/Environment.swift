import Glibc

/// The variables and paths of this process.
struct Environment {
    /// Variables that hold a path, made absolute: a daemon leaves the folder it was started in.
    private static let pathNames = [
        "CURL_CA_BUNDLE", "HF_HOME", "HF_HUB_CACHE", "HF_TOKEN_PATH", "HUBFS_CACHE",
        "HUBFS_CONFIG", "HUBFS_CONTROL", "HUGGINGFACE_HUB_CACHE", "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR", "SSL_CERT_FILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
        "XDG_RUNTIME_DIR", "XDG_STATE_HOME",
    ]

    /// HOME is always set: taken from the user database when the caller, such as mount(8) at boot,
    /// has none.
    let variables: [String: String]

    init(variables: [String: String]) { self.variables = variables }

    init() {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next = next.advanced(by: 1)
        }
        for name in Self.pathNames {
            guard let path = variables[name], !path.isEmpty, !path.hasPrefix("~") else { continue }
            variables[name] = absolutePath(path)
        }
        if variables["HOME"]?.isEmpty ?? true, let user = getpwuid(geteuid()) {
            variables["HOME"] = String(cString: user.pointee.pw_dir)
        }
        self.variables = variables
    }

    /// A variable's value; nil when it is unset or empty.
    subscript(name: String) -> String? {
        variables[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Where logs and edits lie: `$XDG_STATE_HOME/hubfs`.
    var stateFolder: String {
        (self["XDG_STATE_HOME"] ?? (self["HOME"] ?? "") + "/.local/state") + "/hubfs"
    }

    /// Where logs lie: `$XDG_STATE_HOME/hubfs/log`.
    var logFolder: String { stateFolder + "/log" }
}

/// A path as seen from the root, so that it holds after a change of the working directory.
func absolutePath(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return String(cString: folder) + "/" + path
}
