/// Why no whole answer came.
package enum HTTPTransportError: Error, Hashable, Sendable {
    /// The host's name could not be resolved.
    case unknownHost(String)
    /// No connection could be made, or not in time.
    case noConnection(String)
    /// The other side's certificate or the TLS exchange failed.
    case tls(String)
    /// The connection was closed or reset before the end of the answer.
    case connectionLost(String)
    /// No byte came for the request's stall time-out.
    case stalled
    /// Cancelled by the receiver, by `cancel`, or by shutdown.
    case cancelled
    /// The answer grew past what the caller wants to collect.
    case bodyTooLarge(limitBytes: Int)
    /// The URL cannot be used, or the answer is no HTTP.
    case protocolError(String)
}
