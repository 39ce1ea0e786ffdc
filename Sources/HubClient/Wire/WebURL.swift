/// An absolute http or https URL: as much of RFC 3986 as redirects and `Link` headers need.
struct WebURL: Hashable, Sendable {
    /// `https://host[:port]` in lowercase, without the scheme's own port. What decides whether a
    /// token may be sent.
    let origin: String
    /// Path and query as they go on the wire, beginning with `/`; never a fragment.
    let target: String

    private init(origin: String, target: String) {
        self.origin = origin
        self.target = target
    }

    /// - Returns: nil for another scheme, no host, user information, or blanks and controls.
    init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }),
            let mark = text.firstRange(of: "://")
        else { return nil }
        let scheme = text[..<mark.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { return nil }
        let rest = text[mark.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        // User information can make one host look like another, and the Hub never sends any.
        guard !authority.isEmpty, !authority.contains("@"), !authority.contains("\\") else {
            return nil
        }
        var host = authority.lowercased()
        let ownPort = scheme == "https" ? ":443" : ":80"
        if host.hasSuffix(ownPort) { host.removeLast(ownPort.count) }
        let target = rest[authority.endIndex...].prefix { $0 != "#" }
        self.init(
            origin: scheme + "://" + host,
            target: target.hasPrefix("/") ? String(target) : "/" + target)
    }

    var text: String { origin + target }
    var path: String { String(target.prefix { $0 != "?" }) }
    /// What logs and errors may show.
    var withoutQuery: String { origin + path }

    /// The value of a query parameter, as it stands (not decoded).
    func queryValue(_ name: String) -> String? {
        guard let mark = target.firstIndex(of: "?") else { return nil }
        for pair in target[target.index(after: mark)...].split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts[0] == name { return parts.count == 2 ? String(parts[1]) : "" }
        }
        return nil
    }

    /// What a `Location` or `Link` in an answer from this URL points to.
    ///
    /// - Parameter reference: Absolute, `//host/…`, `/path`, `?query` or a relative path.
    func resolving(_ reference: String) -> WebURL? {
        if reference.contains("://"), let absolute = WebURL(reference) { return absolute }
        if reference.hasPrefix("//") {
            return WebURL(String(origin.prefix { $0 != "/" }) + reference)
        }
        if reference.hasPrefix("/") { return WebURL(origin + reference) }
        if reference.hasPrefix("?") { return WebURL(origin + path + reference) }
        let directory = path[...(path.lastIndex(of: "/") ?? path.startIndex)]
        return reference.isEmpty ? nil : WebURL(origin + directory + reference)
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
///
/// - Parameter keepsSlash: True for a path of several segments, false for one segment.
func percentEncoded(_ text: String, keepsSlash: Bool) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "."), UInt8(ascii: "~"):
            encoded.append(byte)
        case UInt8(ascii: "/") where keepsSlash: encoded.append(byte)
        default: encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: encoded, as: UTF8.self)
}

/// Undoes percent-encoding; a `%` without two hexadecimal digits stays as it is.
func percentDecoded(_ text: some StringProtocol) -> String {
    let bytes = Array(text.utf8)
    var decoded: [UInt8] = []
    var index = 0
    while index < bytes.count {
        if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
            let high = hexDigitValue(bytes[index + 1]), let low = hexDigitValue(bytes[index + 2])
        {
            decoded.append(high << 4 | low)
            index += 3
        } else {
            decoded.append(bytes[index])
            index += 1
        }
    }
    return String(decoding: decoded, as: UTF8.self)
}

/// The target of `rel="next"` in a `Link` header. Source: RFC 8288.
func nextLink(_ header: String) -> String? {
    for link in header.split(separator: "<") {
        let parts = link.split(separator: ">", maxSplits: 1)
        guard parts.count == 2 else { continue }
        let parameters = parts[1].lowercased().filter { $0 != " " }
        if parameters.contains(#"rel="next""#) || parameters.contains("rel=next") {
            return String(parts[0])
        }
    }
    return nil
}
