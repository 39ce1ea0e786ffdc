/// Web addresses of the Hub, as copied from a browser: turned into the body of an `hf://` URI.
///
/// Source: huggingface_hub `_hf_uris.py`, whose verdicts these are.
enum HubPage {
    /// Hosts of the public Hub.
    private static let hosts = ["huggingface.co", "hf.co", "hub-ci.huggingface.co"]
    /// What stands between a repo and a revision in the address of a file or folder.
    private static let routes = ["blame", "blob", "raw", "resolve", "tree"]
    /// Those of a bucket; no revision follows.
    private static let bucketRoutes = ["resolve", "tree"]

    /// True for an http or https URL, and for a Hub's host without a scheme.
    static func looksLikePage(_ text: String, endpoint: String) -> Bool {
        let lower = text.lowercased()
        if lower.hasPrefix("http://") || lower.hasPrefix("https://") { return true }
        return recognisedHosts(endpoint).contains { lower == $0 || lower.hasPrefix($0 + "/") }
    }

    /// `[kind/]ns/name[@revision[/path]]` of a page. Query and fragment are dropped.
    static func uriBody(_ text: String, endpoint: String) throws(HubURI.Invalid) -> String {
        let (host, wholePath) = split(text)
        guard recognisedHosts(endpoint).contains(host) else {
            throw HubURI.Invalid(
                description: "'\(host)' is not the Hub in use: write hf://namespace/name, or set "
                    + "HF_ENDPOINT")
        }
        let path = withoutPrefix(wholePath, host: host, endpoint: endpoint)
        var segments = path.split(separator: "/").map(String.init)
        var kind = ""
        if let first = segments.first,
            ["models", "datasets", "spaces", "kernels", "buckets"].contains(first)
        {
            kind = first + "/"
            segments.removeFirst()
        }
        guard segments.count >= 2 else {
            throw HubURI.Invalid(
                description: "'\(text)' is not the page of a repo: its path must go on with "
                    + "namespace/name")
        }
        let repo = kind + segments[0] + "/" + segments[1]
        guard segments.count > 2 else { return repo }
        let isBucket = kind == "buckets/"
        guard (isBucket ? bucketRoutes : routes).contains(segments[2]) else {
            throw HubURI.Invalid(
                description:
                    "'/\(segments[2])/' pages name no directory: use the address of the repo, "
                    + "or of a file or folder in it")
        }
        // A slash that was encoded stays encoded, so that a revision keeps its slashes.
        let place = segments[3...].map {
            percentDecoded($0).split(separator: "/", omittingEmptySubsequences: false)
                .joined(separator: "%2F")
        }
        if isBucket { return ([repo] + segments[3...].map(percentDecoded)).joined(separator: "/") }
        return place.isEmpty ? repo : repo + "@" + place.joined(separator: "/")
    }

    private static func recognisedHosts(_ endpoint: String) -> [String] {
        let own = split(endpoint).host
        return own.isEmpty ? hosts : hosts + [own]
    }

    /// Host in lowercase without its port, and the path up to the query.
    private static func split(_ text: String) -> (host: String, path: Substring) {
        let rest = text.firstRange(of: "://").map { text[$0.upperBound...] } ?? text[...]
        let authority = rest.prefix { !"/?#".contains($0) }
        let path = rest[authority.endIndex...].prefix { $0 != "?" && $0 != "#" }
        let host = authority.split(separator: "@").last ?? ""
        return (host.prefix { $0 != ":" }.lowercased(), path)
    }

    /// An endpoint can lie below a path of its own host.
    private static func withoutPrefix(
        _ path: Substring, host: String, endpoint: String
    ) -> Substring {
        let own = split(endpoint)
        var prefix = own.path
        while prefix.last == "/" { prefix.removeLast() }
        guard !prefix.isEmpty, host == own.host, path == prefix || path.hasPrefix(prefix + "/")
        else { return path }
        return path.dropFirst(prefix.count)
    }
}
