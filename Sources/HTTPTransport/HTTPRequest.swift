/// One HTTP request: what to send and the bounds of its answer.
///
/// Redirects are not followed and bodies are not decoded; `Accept-Encoding: identity` is added to
/// every request. Source: RFC 9110.
package struct HTTPRequest: Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    /// Which connections a request may use. The lanes are limited apart from each other, so that
    /// listings never wait behind long streams.
    package enum Lane: Hashable, Sendable, CaseIterable {
        /// Large ranges: few connections, big receive buffers.
        case stream
        /// API calls and small files: more connections, small buffers.
        case small
        /// Bodies that are sent: a handful of connections, big send buffers.
        case upload
    }

    package var method: Method
    /// Absolute http or https URL.
    package var url: String
    /// Names and values as they go on the wire; never logged.
    package var headers: [(name: String, value: String)]
    /// For `post`, `put` and `delete`; its length goes along as Content-Length.
    package var body: HTTPRequestBody?
    package var lane: Lane
    /// Urgent requests leave the queue before those that are not.
    package var isUrgent: Bool
    /// True for a request that must not arrive twice. libcurl by itself repeats a request that
    /// found its warm connection closed, also when the server had read it: this one gets a
    /// connection of its own, where it does not.
    package var isSentOnce: Bool
    package var bounds: HTTPBounds

    package init(
        method: Method = .get, url: String, headers: [(name: String, value: String)] = [],
        body: HTTPRequestBody? = nil, lane: Lane = .small, isUrgent: Bool = true,
        isSentOnce: Bool = false, bounds: HTTPBounds = HTTPBounds()
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.lane = lane
        self.isUrgent = isUrgent
        self.isSentOnce = isSentOnce
        self.bounds = bounds
    }

    /// The URL without its query: what may be logged and shown.
    package var loggedURL: String { Self.withoutQuery(url) }

    /// `url` up to its query, where signatures stand.
    package static func withoutQuery(_ url: String) -> String {
        String(url.prefix { $0 != "?" && $0 != "#" })
    }
}

/// How long the parts of one request may take. Seconds; reaching one ends the request.
package struct HTTPBounds: Hashable, Sendable {
    /// Name look-up, TCP and TLS together. Two SYN retransmissions (1 s and 3 s) fit in.
    package var connectSeconds: Double
    /// Without a byte in either direction: sending the body, waiting for the head, or between
    /// pieces of the answer's body.
    package var stallSeconds: Double
    /// From the start of the transfer to its end; nil for streams, which only need progress.
    package var totalSeconds: Double?
    /// In our queue, waiting for a connection of its lane.
    package var queueSeconds: Double

    package init(
        connectSeconds: Double = 5, stallSeconds: Double = 10, totalSeconds: Double? = nil,
        queueSeconds: Double = 30
    ) {
        self.connectSeconds = connectSeconds
        self.stallSeconds = stallSeconds
        self.totalSeconds = totalSeconds
        self.queueSeconds = queueSeconds
    }
}
