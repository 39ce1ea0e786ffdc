/// One request as it goes on the wire.
package struct HTTPRequest: Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    /// Requests with somebody waiting are started before those that only might be useful.
    package enum Urgency: Sendable {
        case demand
        case prefetch
    }

    package var method: Method
    /// Absolute http or https URL.
    package var url: String
    /// Sent as they are; `Accept-Encoding: identity` is always added.
    package var headers: [(name: String, value: String)]
    /// Sent whole, with its length.
    package var body: [UInt8]
    package var urgency: Urgency
    /// Longest wait for a connection, name resolution and TLS included.
    package var connectTimeoutSeconds: Double
    /// Longest time without a byte of progress once the transfer has begun.
    package var stallTimeoutSeconds: Double

    package init(
        _ method: Method = .get, url: String, headers: [(name: String, value: String)] = [],
        body: [UInt8] = [], urgency: Urgency = .demand, connectTimeoutSeconds: Double = 10,
        stallTimeoutSeconds: Double = 10
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.urgency = urgency
        self.connectTimeoutSeconds = connectTimeoutSeconds
        self.stallTimeoutSeconds = stallTimeoutSeconds
    }

    /// The URL without its query, which may hold a signature: the form that may be logged.
    package var loggableURL: String {
        String(url.prefix { $0 != "?" && $0 != "#" })
    }
}
