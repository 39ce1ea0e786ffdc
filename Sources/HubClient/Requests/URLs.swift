/// The URLs of one endpoint.
struct HubURLs: Sendable {
    /// Base URL without trailing slash.
    let endpoint: String

    /// `/api/{kind}/{id}` with a path behind it.
    func api(_ repo: RepoID, _ rest: String = "") -> String {
        "\(endpoint)/api/\(repo.kind.apiName)/\(repo.name)\(rest.isEmpty ? "" : "/" + rest)"
    }

    /// Where a file is resolved.
    func resolve(_ location: ContentLocation) -> String {
        let repo = location.repo
        return "\(endpoint)/\(repo.kind.urlPrefix)\(repo.name)/resolve/\(location.commit)/"
            + percentEncoded(location.path, keeping: "/")
    }

    /// True when a URL is of the endpoint itself, so that it may see the token.
    func isOurs(_ url: String) -> Bool {
        Self.origin(url) == Self.origin(endpoint)
    }

    /// A `Location` as an absolute URL: relative ones are relative to the origin.
    func absolute(_ location: String, from url: String) -> String? {
        if location.hasPrefix("http://") || location.hasPrefix("https://") { return location }
        guard location.hasPrefix("/"), !location.hasPrefix("//"), let origin = Self.origin(url)
        else { return nil }
        return origin + location
    }

    /// Scheme, host and port in lowercase, the default port left out.
    static func origin(_ url: String) -> String? {
        guard let schemeEnd = url.firstRange(of: "://") else { return nil }
        let scheme = url[..<schemeEnd.lowerBound].lowercased()
        let rest = url[schemeEnd.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var host =
            authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] }
            .map { $0.lowercased() } ?? authority.lowercased()
        if scheme == "https", host.hasSuffix(":443") { host.removeLast(4) }
        if scheme == "http", host.hasSuffix(":80") { host.removeLast(3) }
        return host.isEmpty ? nil : "\(scheme)://\(host)"
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters and those in `keeping`.
func percentEncoded(_ text: String, keeping: String = "") -> String {
    var encoded: [UInt8] = []
    let kept = Array("-._~".utf8) + Array(keeping.utf8)
    for byte in text.utf8 {
        if isAlphanumeric(byte) || kept.contains(byte) {
            encoded.append(byte)
        } else {
            let digits = Array("0123456789ABCDEF".utf8)
            encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: encoded, as: UTF8.self)
}

/// Undoes percent-encoding; nil when an escape is broken or the result is no UTF-8.
func percentDecoded(_ text: some StringProtocol) -> String? {
    var decoded: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            decoded.append(byte)
            continue
        }
        let digits = String(decoding: rest.prefix(2), as: UTF8.self)
        guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { return nil }
        decoded.append(value)
        rest = rest.dropFirst(2)
    }
    return String(validating: decoded, as: UTF8.self)
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"):
        true
    default: false
    }
}
