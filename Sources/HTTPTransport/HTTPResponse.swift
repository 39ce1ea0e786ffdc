/// Status and headers of an answer.
package struct HTTPHead: Sendable {
    package let status: Int
    /// Names in lowercase, in order of arrival.
    package let headers: [(name: String, value: String)]

    package init(status: Int, headers: [(name: String, value: String)]) {
        self.status = status
        self.headers = headers.map { ($0.name.lowercased(), $0.value) }
    }

    /// - Parameter name: In lowercase.
    /// - Returns: the first value, nil when the header is absent.
    package subscript(name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}

/// A whole answer, for small bodies.
package struct HTTPResponse: Sendable {
    package let head: HTTPHead
    package let body: [UInt8]

    package init(head: HTTPHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }
}

/// Takes one answer as it arrives.
///
/// Calls of one request never overlap and come on a transfer thread: begun, sent, head, pieces of
/// the body, end. Whatever blocks in them blocks every transfer of that thread.
package protocol HTTPReceiver: AnyObject, Sendable {
    /// The connection stands and the request goes out now. Until this call the server has seen
    /// nothing of it.
    func begun()

    /// Part of the request's body has been handed to the network.
    ///
    /// - Parameter byteCount: Bytes since the body's beginning; less than before when it has to be
    ///   sent anew.
    func sent(_ byteCount: UInt64)

    /// - Returns: false to end the request; `end` follows with `.cancelled`.
    func head(_ head: HTTPHead) -> Bool

    /// - Parameter bytes: Valid during the call only.
    /// - Returns: false to end the request; `end` follows with `.cancelled`.
    func body(_ bytes: UnsafeRawBufferPointer) -> Bool

    /// Ends the request, exactly once; success means that the body was whole.
    func end(_ result: Result<Void, HTTPTransportError>)
}

extension HTTPReceiver {
    package func begun() {}
    package func sent(_ byteCount: UInt64) {}
}

/// Why a request has no whole answer. Any HTTP status is an answer, not an error.
package enum HTTPTransportError: Error, Hashable, Sendable {
    /// The URL is not an absolute http or https URL, or libcurl cannot read it.
    case badURL
    /// The host (or the proxy) has no address.
    case resolve(String)
    /// No connection could be made.
    case connect(String)
    /// No connection within `HTTPBounds.connectSeconds`.
    case connectTimedOut
    /// The TLS handshake failed or the certificate is not trusted.
    case tls(String)
    /// No byte for `HTTPBounds.stallSeconds`, after `receivedByteCount` bytes of the body.
    case stalled(receivedByteCount: UInt64)
    /// Not finished within `HTTPBounds.totalSeconds`.
    case timedOut
    /// Still waiting for a connection after `HTTPBounds.queueSeconds`.
    case queuedTooLong
    /// The connection broke, or ended before the body did.
    case connectionLost(receivedByteCount: UInt64, reason: String)
    /// The answer is not HTTP, or its head is over 64 KiB.
    case malformed(String)
    /// A collected body grew over the limit its caller gave.
    case bodyTooLarge(byteCountMax: Int)
    /// The file that the request's body is read from ends early or cannot be read.
    case unreadableBody(String)
    /// The queue of waiting requests is full.
    case queueFull
    /// Cancelled by its caller, by its receiver, or by `HTTPTransport.shutdown`.
    case cancelled
    /// Anything else, in libcurl's words.
    case failed(code: Int, reason: String)
}
