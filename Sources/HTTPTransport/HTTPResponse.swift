/// The status and headers of an answer.
package struct HTTPResponseHead: Sendable {
    package let status: Int
    /// In the order received; names in lowercase.
    package let headers: [(name: String, value: String)]

    package init(status: Int, headers: [(name: String, value: String)]) {
        self.status = status
        self.headers = headers
    }

    /// The first value of a header.
    ///
    /// - Parameter name: In lowercase.
    package subscript(name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}

/// An answer that was collected whole.
package struct HTTPResponse: Sendable {
    package let head: HTTPResponseHead
    package let body: [UInt8]

    package init(head: HTTPResponseHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }
}

/// Takes one answer as it arrives.
///
/// All calls come in order on one transfer thread, which drives other transfers too: they must
/// not wait for the network or for a lock held across I/O.
package protocol HTTPReceiver: AnyObject, Sendable {
    /// - Returns: false to cancel the transfer; `end` follows with `.cancelled`.
    func receive(head: HTTPResponseHead) -> Bool

    /// Takes the next bytes of the body; they are valid during the call.
    ///
    /// - Returns: false to cancel the transfer; `end` follows with `.cancelled`.
    func receive(body: UnsafeRawBufferPointer) -> Bool

    /// Called exactly once, last. Success means that the body was as long as announced.
    func end(_ result: Result<Void, HTTPTransportError>)
}
