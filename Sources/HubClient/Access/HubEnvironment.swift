/// What the environment says about the Hub, found as the official Python client finds it.
///
/// Source: huggingface_hub `constants.py` and `utils/_auth.py`.
package struct HubEnvironment: Sendable {
    /// Where the token comes from, in words for `hubfs doctor`.
    package enum TokenOrigin: Hashable, Sendable {
        case none
        case variable(String)
        case file(String)
        /// `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set and nothing was given explicitly.
        case disabled
    }

    /// Base URL without trailing slash.
    package let endpoint: String
    package let tokenOrigin: TokenOrigin
    package let token: any TokenSource
    package let isOffline: Bool
    /// The official client's cache, `HF_HUB_CACHE`.
    package let officialCachePath: String

    /// - Parameters:
    ///   - variables: The process's environment.
    ///   - tokenFile: What `--token-file` says; wins over everything.
    package init(variables: [String: String], tokenFile: String? = nil) {
        func value(_ names: String...) -> String? {
            names.lazy.compactMap { variables[$0] }.first { !$0.isEmpty }
        }
        let home = value("HOME") ?? "/"
        let cacheHome = value("XDG_CACHE_HOME") ?? home + "/.cache"
        let hubHome = Self.expand(value("HF_HOME") ?? cacheHome + "/huggingface", home)
        var endpoint = value("HF_ENDPOINT") ?? "https://huggingface.co"
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        self.endpoint = endpoint
        isOffline =
            Self.isTrue(value("HF_HUB_OFFLINE")) || Self.isTrue(value("TRANSFORMERS_OFFLINE"))
        officialCachePath = Self.expand(
            value("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? hubHome + "/hub", home)
        let path = Self.expand(value("HF_TOKEN_PATH") ?? hubHome + "/token", home)
        if let tokenFile {
            (tokenOrigin, token) = (.file(tokenFile), TokenFile(path: tokenFile))
        } else if Self.isTrue(value("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
            (tokenOrigin, token) = (.disabled, FixedToken(nil))
        } else if let found = Self.variableToken(value) {
            (tokenOrigin, token) = (.variable(found.name), FixedToken(found.token))
        } else {
            let file = TokenFile(path: path)
            (tokenOrigin, token) = (file.token == nil ? .none : .file(path), file)
        }
    }

    private static func variableToken(
        _ value: (String...) -> String?
    ) -> (name: String, token: Token)? {
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let text = value(name), let token = Token(text) { return (name, token) }
        }
        return nil
    }

    private static func isTrue(_ value: String?) -> Bool {
        ["1", "ON", "YES", "TRUE"].contains(value?.uppercased() ?? "")
    }

    private static func expand(_ path: String, _ home: String) -> String {
        path == "~" || path.hasPrefix("~/") ? home + path.dropFirst() : path
    }
}
