/// What the environment says about the Hub, found as the official Python client finds it.
///
/// Source: huggingface_hub `constants.py` and `utils/_auth.py`.
package struct HubEnvironment: Sendable {
    /// Where the token comes from, for `hubfs doctor`.
    package enum TokenOrigin: Hashable, Sendable {
        case none
        case variable(String)
        case file(String)
        /// `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set and no file was named.
        case disabled
    }

    /// Base URL without trailing slash.
    package let endpoint: String
    package let tokenOrigin: TokenOrigin
    package let token: any TokenSource
    /// The user wants no network (`HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE`).
    package let isOffline: Bool
    /// The content-addressed store is left alone (`HF_HUB_DISABLE_XET`).
    package let ignoresXet: Bool
    /// The official client's cache (`HF_HUB_CACHE`).
    package let officialCachePath: String

    /// - Parameters:
    ///   - variables: The process's environment.
    ///   - tokenFile: What the user named on the command line; goes before everything else.
    package init(variables: [String: String], tokenFile: String? = nil) {
        let lookup = Lookup(variables: variables)
        let home = lookup.path("HF_HOME") ?? lookup.cacheHome + "/huggingface"
        var endpoint = lookup.text("HF_ENDPOINT") ?? "https://huggingface.co"
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        self.endpoint = endpoint
        isOffline = lookup.isTrue("HF_HUB_OFFLINE") || lookup.isTrue("TRANSFORMERS_OFFLINE")
        ignoresXet = lookup.isTrue("HF_HUB_DISABLE_XET")
        officialCachePath =
            lookup.path("HF_HUB_CACHE") ?? lookup.path("HUGGINGFACE_HUB_CACHE") ?? home + "/hub"
        let (origin, token) = Self.findToken(
            lookup, named: tokenFile, usual: lookup.path("HF_TOKEN_PATH") ?? home + "/token")
        self.tokenOrigin = origin
        self.token = token
    }

    private static func findToken(
        _ lookup: Lookup, named: String?, usual: String
    ) -> (TokenOrigin, any TokenSource) {
        if let named { return (.file(named), TokenFile(path: named)) }
        if lookup.isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN") { return (.disabled, FixedToken(nil)) }
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let token = lookup.text(name).flatMap({ Token($0) }) {
                return (.variable(name), FixedToken(token))
            }
        }
        let file = TokenFile(path: usual)
        // Without a file now, a later login still counts.
        return (file.token == nil ? .none : .file(usual), file)
    }
}

/// Reads variables as the official client does.
private struct Lookup {
    let variables: [String: String]

    /// - Returns: nil for a variable that is unset or empty.
    func text(_ name: String) -> String? {
        variables[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A path, with `~` for the home directory.
    func path(_ name: String) -> String? {
        guard let text = text(name) else { return nil }
        return text == "~" || text.hasPrefix("~/") ? home + text.dropFirst() : text
    }

    func isTrue(_ name: String) -> Bool {
        ["1", "ON", "YES", "TRUE"].contains(variables[name]?.uppercased() ?? "")
    }

    var home: String { text("HOME") ?? "/" }
    var cacheHome: String { path("XDG_CACHE_HOME") ?? home + "/.cache" }
}
