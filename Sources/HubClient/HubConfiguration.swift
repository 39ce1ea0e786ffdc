/// How the Hub is asked.
package struct HubConfiguration: Sendable {
    /// Base URL without trailing slash.
    package var endpoint: String
    /// Where the token comes from; asked for each request, since a token file may change.
    package var token: any TokenSource
    /// No request leaves the machine (`HF_HUB_OFFLINE`).
    package var isOffline = false
    package var userAgent = "hubfs/\(hubfsVersion)"
    /// Longest time a demanded read or listing may go without progress, retries included.
    package var readTimeoutSeconds = 30.0
    /// Longest wait for a connection.
    package var connectTimeoutSeconds = 5.0
    /// A transfer without a byte for so long is given up and tried on another connection. Well below
    /// the read time-out, so that one stalled connection does not cost a read its whole time.
    package var stallTimeoutSeconds = 5.0

    package init(endpoint: String, token: any TokenSource) {
        self.endpoint = endpoint
        self.token = token
    }

    /// The stall time-out, held to a third of the read time-out.
    var stallSeconds: Double { min(stallTimeoutSeconds, readTimeoutSeconds / 3) }
}

/// The version `hubfs --version` shows and servers see.
package let hubfsVersion = "0.1.0"
