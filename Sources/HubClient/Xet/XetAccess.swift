import HTTPTransport

/// What the Hub gives those who may read a repo's files from the content-addressed store: its
/// address, and a token for it.
///
/// Source: `GET /api/{kind}/{id}/xet-read-token/{rev}`.
struct XetAccess: Hashable, Sendable {
    /// Base of the store's URLs, without a slash at its end.
    let base: String
    /// Sent to the store as a bearer token, and nowhere else; never logged.
    let secret: String
    /// Seconds since 1970.
    let expiresAt: Double

    /// Longest address and token that are taken.
    private static let textLengthMax = 64_000

    /// Reads an answer: its body, and where that lacks something its headers.
    ///
    /// - Returns: nil when one of the three is missing, or no store can have that address.
    init?(_ response: HTTPResponse) {
        let body = JSON(response.body)
        let head = response.head
        guard var base = body?["casUrl"]?.string ?? head["x-xet-cas-url"],
            let secret = body?["accessToken"]?.string ?? head["x-xet-access-token"],
            let expiry = body?["exp"]?.unsigned
                ?? head["x-xet-token-expiration"].flatMap({ UInt64($0) }),
            base.utf8.count <= Self.textLengthMax, secret.utf8.count <= Self.textLengthMax,
            !secret.isEmpty, secret.utf8.allSatisfy({ 0x21...0x7e ~= $0 })
        else { return nil }
        while base.hasSuffix("/") { base.removeLast() }
        guard WebURL(base) != nil, !base.contains("?"), !base.contains("#") else { return nil }
        self.base = base
        self.secret = secret
        expiresAt = Double(expiry)
    }

    /// The header that opens the store.
    var header: (name: String, value: String) { ("Authorization", "Bearer \(secret)") }
}
