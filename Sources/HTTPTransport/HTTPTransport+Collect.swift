import Platform

extension HTTPTransport {
    /// Sends a request and collects its answer; `completion` is called on a transfer thread.
    ///
    /// - Parameters:
    ///   - bodyByteCountMax: A longer body ends the request with `.bodyTooLarge`.
    ///   - wantsBody: Asked with the head; false ends the request there, with an empty body.
    ///   - begun: See `HTTPReceiver.begun`.
    ///   - sent: See `HTTPReceiver.sent`.
    @discardableResult
    package func collect(
        _ request: HTTPRequest, bodyByteCountMax: Int,
        wantsBody: @escaping @Sendable (HTTPHead) -> Bool = { _ in true },
        begun: @escaping @Sendable () -> Void = {},
        sent: @escaping @Sendable (UInt64) -> Void = { _ in },
        completion: @escaping @Sendable (Result<HTTPResponse, HTTPTransportError>) -> Void
    ) -> HTTPTransfer {
        submit(
            request,
            to: Collector(
                bodyByteCountMax: bodyByteCountMax, wantsBody: wantsBody, onBegun: begun,
                onSent: sent, completion: completion))
    }

    /// Sends a request and waits for its answer. For commands; never on a transfer thread.
    package func perform(
        _ request: HTTPRequest, bodyByteCountMax: Int
    ) throws(HTTPTransportError) -> HTTPResponse {
        let answer = Monitor<Result<HTTPResponse, HTTPTransportError>?>(nil)
        collect(request, bodyByteCountMax: bodyByteCountMax) { result in
            answer.update { $0 = result }
        }
        guard let result = answer.wait({ $0 }) else { throw .cancelled }
        return try result.get()
    }
}

/// Keeps one answer in memory.
///
/// `@unchecked Sendable`: a receiver's calls never overlap.
private final class Collector: HTTPReceiver, @unchecked Sendable {
    private let bodyByteCountMax: Int
    private let wantsBody: @Sendable (HTTPHead) -> Bool
    private let onBegun: @Sendable () -> Void
    private let onSent: @Sendable (UInt64) -> Void
    private let completion: @Sendable (Result<HTTPResponse, HTTPTransportError>) -> Void
    private var answerHead: HTTPHead?
    private var answerBody: [UInt8] = []
    private var isTooLarge = false
    private var endsAtHead = false

    init(
        bodyByteCountMax: Int, wantsBody: @escaping @Sendable (HTTPHead) -> Bool,
        onBegun: @escaping @Sendable () -> Void, onSent: @escaping @Sendable (UInt64) -> Void,
        completion: @escaping @Sendable (Result<HTTPResponse, HTTPTransportError>) -> Void
    ) {
        self.wantsBody = wantsBody
        self.bodyByteCountMax = bodyByteCountMax
        self.onBegun = onBegun
        self.onSent = onSent
        self.completion = completion
    }

    func begun() { onBegun() }

    func sent(_ byteCount: UInt64) { onSent(byteCount) }

    func head(_ head: HTTPHead) -> Bool {
        answerHead = head
        endsAtHead = !wantsBody(head)
        return !endsAtHead
    }

    func body(_ bytes: UnsafeRawBufferPointer) -> Bool {
        isTooLarge = answerBody.count + bytes.count > bodyByteCountMax
        if !isTooLarge { answerBody.append(contentsOf: bytes) }
        return !isTooLarge
    }

    func end(_ result: Result<Void, HTTPTransportError>) {
        if isTooLarge {
            completion(.failure(.bodyTooLarge(byteCountMax: bodyByteCountMax)))
            return
        }
        completion(
            (endsAtHead ? .success(()) : result).flatMap {
                guard let answerHead else {
                    return .failure(.malformed("an answer without a head"))
                }
                return .success(HTTPResponse(head: answerHead, body: answerBody))
            })
    }
}
