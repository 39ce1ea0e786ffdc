import Platform

/// A request while libcurl works on it. Touched by its loop's thread alone.
final class ActiveTransfer {
    /// What has happened so far.
    ///
    ///     connecting ── sent ──> waiting ── head ──> receiving
    ///         └───────── refused by receiver ──────────┴──> refused
    enum Phase {
        /// No connection yet: bounded by `connectSeconds`.
        case connecting
        /// The request is on its way or at the server: bounded by `stallSeconds`.
        case waiting
        case receiving
        /// The receiver wants no more, or the answer cannot be read: ends with this error.
        case refused(HTTPTransportError)
    }

    let transfer: HTTPTransfer
    let easy: EasyHandle
    private(set) var phase = Phase.connecting
    private(set) var bodyByteCount: UInt64 = 0
    private var sentByteCount: UInt64 = 0
    private let startedAt: MonotonicInstant
    private var progressAt: MonotonicInstant
    private var parser = HeadParser()
    private var bodyReader: BodyReader?

    init(_ transfer: HTTPTransfer, easy: EasyHandle, now: MonotonicInstant) {
        self.transfer = transfer
        self.easy = easy
        startedAt = now
        progressAt = now
        bodyReader = transfer.request.body.map { BodyReader($0) }
    }

    var isConnected: Bool {
        if case .connecting = phase { return false }
        return true
    }

    /// The connection stands and the request is about to be sent.
    func connected() {
        progressAt = .now
        if case .connecting = phase { phase = .waiting }
        transfer.receiver.begun()
    }

    /// The next bytes of the request's body.
    ///
    /// - Returns: how many there are, 0 at the end; nil to make libcurl end the transfer.
    func requestBody(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        guard !transfer.isCancelled else {
            phase = .refused(.cancelled)
            return nil
        }
        do throws(BodyReader.Unreadable) {
            return try bodyReader?.read(into: buffer) ?? 0
        } catch {
            phase = .refused(.unreadableBody(error.reason))
            return nil
        }
    }

    /// The request has to go out anew, on another connection.
    ///
    /// - Returns: false when the body has no such place.
    func rewind(to place: Int) -> Bool {
        bodyReader?.seek(to: place) ?? (place == 0)
    }

    /// So many bytes of the body are with the network. libcurl says so often; sending is progress.
    func sent(_ byteCount: UInt64) {
        guard byteCount != sentByteCount else { return }
        sentByteCount = byteCount
        progressAt = .now
        transfer.receiver.sent(byteCount)
    }

    /// - Returns: false to make libcurl end the transfer.
    func headerLine(_ bytes: UnsafeRawBufferPointer) -> Bool {
        progressAt = .now
        if case .receiving = phase { return true }
        switch parser.line(bytes) {
        case .more: return true
        case .malformed(let reason): return refuse(.malformed(reason))
        case .complete(let head):
            phase = .receiving
            return transfer.receiver.head(head) || refuse(.cancelled)
        }
    }

    /// - Returns: false to make libcurl end the transfer.
    func body(_ bytes: UnsafeRawBufferPointer) -> Bool {
        progressAt = .now
        guard case .receiving = phase else { return refuse(.malformed("a body without a head")) }
        bodyByteCount += UInt64(bytes.count)
        if transfer.isCancelled { return refuse(.cancelled) }
        return transfer.receiver.body(bytes) || refuse(.cancelled)
    }

    private func refuse(_ error: HTTPTransportError) -> Bool {
        phase = .refused(error)
        return false
    }

    /// When this transfer has to be looked at again if nothing happens.
    var deadline: MonotonicInstant {
        let bounds = transfer.request.bounds
        let quiet: MonotonicInstant
        switch phase {
        // libcurl watches this bound too and knows better why it was reached: it goes first.
        case .connecting: quiet = startedAt.advanced(bySeconds: bounds.connectSeconds + 0.25)
        case .waiting, .receiving, .refused:
            quiet = progressAt.advanced(bySeconds: bounds.stallSeconds)
        }
        guard let total = bounds.totalSeconds else { return quiet }
        return min(quiet, startedAt.advanced(bySeconds: total))
    }

    /// The bound that has been reached.
    ///
    /// - Returns: nil while there is time left.
    func overdue(now: MonotonicInstant) -> HTTPTransportError? {
        guard now >= deadline else { return nil }
        if let total = transfer.request.bounds.totalSeconds,
            now >= startedAt.advanced(bySeconds: total)
        {
            return .timedOut
        }
        if case .connecting = phase { return .connectTimedOut }
        return .stalled(receivedByteCount: bodyByteCount)
    }
}
