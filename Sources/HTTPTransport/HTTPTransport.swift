import CCurl
import Platform

/// Sends requests over a pool of warm connections; answers arrive on a few threads of its own.
///
/// Redirects are not followed and nothing is retried: the caller decides. Bodies come as they are
/// on the wire (`Accept-Encoding: identity`). Proxies are taken from the environment by libcurl.
package final class HTTPTransport: Sendable {
    /// How much may go on at one time.
    package struct Limits: Hashable, Sendable {
        /// Threads; each drives its share of the connections.
        package var threadCount = 2
        /// Connections of all threads together.
        package var connectionCountMax = 64
        /// Connections that prefetches may use; the rest is kept for demand.
        package var prefetchConnectionCountMax = 48

        package init() {}
    }

    /// A request under way.
    package struct Ticket: Sendable {
        fileprivate let transfer: Transfer
        fileprivate let thread: TransferThread

        /// Ends the transfer soon; its receiver's `end` is still called.
        package func cancel() {
            transfer.isCancelled.withLock { $0 = true }
            thread.wake()
        }
    }

    private let threads: [TransferThread]

    package init(limits: Limits = Limits()) {
        precondition(curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK)
        let count = limits.threadCount
        threads = (0..<count).map { number in
            TransferThread(
                number: number, transferCountMax: max(limits.connectionCountMax / count, 1),
                prefetchCountMax: max(limits.prefetchConnectionCountMax / count, 1))
        }
    }

    /// Starts a request and returns at once. The least loaded thread takes it, the first of equals,
    /// so that single requests in a row find the same warm connection.
    @discardableResult
    package func start(_ request: HTTPRequest, into receiver: any HTTPReceiver) -> Ticket {
        let transfer = Transfer(request: request, receiver: receiver)
        let thread = threads.min { $0.load < $1.load }!
        thread.submit(transfer)
        return Ticket(transfer: transfer, thread: thread)
    }

    /// Starts a request whose answer is collected in memory.
    ///
    /// - Parameters:
    ///   - bodyBytesMax: An answer that grows larger ends with `.bodyTooLarge`.
    ///   - completion: Called once, on a transfer thread.
    @discardableResult
    package func collect(
        _ request: HTTPRequest, bodyBytesMax: Int,
        completion: @escaping @Sendable (Result<HTTPResponse, HTTPTransportError>) -> Void
    ) -> Ticket {
        start(request, into: Collector(bodyBytesMax: bodyBytesMax, completion: completion))
    }

    /// Cancels every request and ends the threads. Call once, not from a receiver; requests that
    /// come later end with `.cancelled`.
    package func close() {
        for thread in threads { thread.close() }
    }
}

/// Collects one answer.
///
/// `@unchecked Sendable`: called by one transfer thread at a time, see `HTTPReceiver`.
private final class Collector: HTTPReceiver, @unchecked Sendable {
    private let bodyBytesMax: Int
    private let completion: @Sendable (Result<HTTPResponse, HTTPTransportError>) -> Void
    private var head: HTTPResponseHead?
    private var body: [UInt8] = []
    private var isTooLarge = false

    init(
        bodyBytesMax: Int,
        completion: @escaping @Sendable (Result<HTTPResponse, HTTPTransportError>) -> Void
    ) {
        self.bodyBytesMax = bodyBytesMax
        self.completion = completion
    }

    func receive(head: HTTPResponseHead) -> Bool {
        self.head = head
        return true
    }

    func receive(body bytes: UnsafeRawBufferPointer) -> Bool {
        isTooLarge = body.count + bytes.count > bodyBytesMax
        if !isTooLarge { body.append(contentsOf: bytes) }
        return !isTooLarge
    }

    func end(_ result: Result<Void, HTTPTransportError>) {
        if isTooLarge { return completion(.failure(.bodyTooLarge(limitBytes: bodyBytesMax))) }
        completion(result.map { HTTPResponse(head: head!, body: body) })
    }
}
