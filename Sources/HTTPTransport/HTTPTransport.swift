import CCurl
import Platform

/// Sends HTTP requests from a few threads of its own.
///
/// Any thread may submit; answers come to the request's receiver on a transfer thread. Requests
/// over the connection limits wait in a bounded queue, urgent ones first. Proxies are taken from
/// the environment as curl does (`https_proxy`, `no_proxy`, …), and authorities for TLS as its callers
/// found them there.
package final class HTTPTransport: Sendable {
    package struct Configuration: Sendable {
        /// Threads, each with connections of its own.
        package var threadCount: Int
        package var streamCountPerHostMax: Int
        package var smallCountPerHostMax: Int
        package var uploadCountPerHostMax: Int
        /// Requests that may wait for a connection; more fail with `.queueFull`.
        package var queueCountMax: Int
        /// HTTP/2 where a TLS server offers it. Off by default: separate HTTP/1.1 connections
        /// are faster for large ranges, because each has a congestion window of its own.
        package var usesHTTP2: Bool
        package var userAgent: String
        /// An unused connection older than this is not used again: servers drop idle ones.
        package var connectionIdleSecondsMax: Int
        /// Whom servers and proxies are trusted by.
        package var authorities = CertificateAuthorities()

        package init(
            threadCount: Int = 2, streamCountPerHostMax: Int = 24, smallCountPerHostMax: Int = 64,
            uploadCountPerHostMax: Int = 6, queueCountMax: Int = 8192, usesHTTP2: Bool = false,
            userAgent: String = "hubfs", connectionIdleSecondsMax: Int = 50
        ) {
            self.threadCount = threadCount
            self.streamCountPerHostMax = streamCountPerHostMax
            self.smallCountPerHostMax = smallCountPerHostMax
            self.uploadCountPerHostMax = uploadCountPerHostMax
            self.queueCountMax = queueCountMax
            self.usesHTTP2 = usesHTTP2
            self.userAgent = userAgent
            self.connectionIdleSecondsMax = connectionIdleSecondsMax
        }

        var limits: Dispatcher.Limits {
            Dispatcher.Limits(
                streamCountPerHostMax: streamCountPerHostMax,
                smallCountPerHostMax: smallCountPerHostMax,
                uploadCountPerHostMax: uploadCountPerHostMax, queueCountMax: queueCountMax,
                loopCount: threadCount)
        }
    }

    private struct State {
        var dispatcher: Dispatcher
        /// Invariant: holds exactly the requests whose receiver has not been told the end.
        var transfers: [Dispatcher.RequestID: HTTPTransfer] = [:]
        var lastID: Dispatcher.RequestID = 0
        var queueCheckAt: MonotonicInstant?
        var isClosed = false
    }

    private let state: Guarded<State>
    private let loops: [TransferLoop]
    private let threads: Monitor<[Thread]>

    /// How often requests in the queue are looked at for their time-out.
    private static let queueCheckSeconds = 0.25

    package init(configuration: Configuration = Configuration()) {
        precondition(configuration.threadCount > 0, "a transport needs a thread")
        precondition(globalInitialisation == CURLE_OK, "libcurl cannot be initialised")
        state = Guarded(
            State(dispatcher: Dispatcher(limits: configuration.limits)), rank: .transport)
        loops = (0..<configuration.threadCount).map { _ in TransferLoop(options: configuration) }
        threads = Monitor([])
        let started = loops.enumerated().map { index, loop in
            Thread(name: "hubfs-http-\(index)") { [self] in loop.run(owner: self) }
        }
        threads.update { $0 = started }
    }

    /// Requests that were submitted and have not ended. Locks: takes transport.
    package var requestCount: Int { state.withLock { $0.transfers.count } }

    /// Starts a request and returns at once. Locks: takes transport.
    ///
    /// The receiver is always told the end, on a transfer thread; when the request cannot even be
    /// queued, or after `shutdown`, on this thread before the call returns.
    @discardableResult
    package func submit(_ request: HTTPRequest, to receiver: any HTTPReceiver) -> HTTPTransfer {
        let deadline = MonotonicInstant.now.advanced(bySeconds: request.bounds.queueSeconds)
        let origin = originText(request.url)
        let (transfer, admission) = state.withLock { state in
            state.lastID += 1
            let transfer = HTTPTransfer(
                id: state.lastID, request: request, receiver: receiver, transport: self)
            guard !state.isClosed, origin != nil else { return (transfer, nil as Admission?) }
            let admission = state.dispatcher.submit(
                transfer.id, origin: origin ?? "", lane: request.lane,
                isUrgent: request.isUrgent, queueDeadline: deadline)
            if admission != .full { state.transfers[transfer.id] = transfer }
            if admission == .queued { Self.planQueueCheck(&state) }
            return (transfer, admission)
        }
        switch admission {
        case nil: receiver.end(.failure(origin == nil ? .badURL : .cancelled))
        case .full: receiver.end(.failure(.queueFull))
        case .queued: loops[0].post(.run {})
        case .start(let loop): startOnLoop(transfer, loop)
        }
        return transfer
    }

    /// Runs `job` on a transfer thread soon.
    ///
    /// - Returns: false after `shutdown`; the job does not run.
    package func run(_ job: @escaping @Sendable () -> Void) -> Bool {
        loops[0].post(.run(job))
    }

    /// Cancels every request, tells their receivers, and ends the threads. Returns when they have
    /// ended: as soon as the receivers return. Not to be called on a transfer thread.
    package func shutdown() {
        let waiting = state.withLock { state in
            state.isClosed = true
            return state.dispatcher.takeAllQueued().compactMap {
                state.transfers.removeValue(forKey: $0)
            }
        }
        for transfer in waiting { transfer.receiver.end(.failure(.cancelled)) }
        for loop in loops { loop.post(.stop) }
        let running = threads.update { threads in
            let running = threads
            threads = []
            return running
        }
        for thread in running { thread.join() }
    }

    private typealias Admission = Dispatcher.Admission

    private func startOnLoop(_ transfer: HTTPTransfer, _ loop: Int) {
        if !loops[loop].post(.start(transfer)) { finished(transfer, .failure(.cancelled)) }
    }

    private static func planQueueCheck(_ state: inout State) {
        if state.queueCheckAt == nil {
            state.queueCheckAt = .now.advanced(bySeconds: queueCheckSeconds)
        }
    }
}

/// What the loops and transfers call.
extension HTTPTransport {
    /// When the queue has to be looked at for time-outs; nil while nothing waits.
    var queueCheckAt: MonotonicInstant? { state.withLock { $0.queueCheckAt } }

    /// A request on a loop has ended: gives its connection to the next and tells its receiver.
    func finished(_ transfer: HTTPTransfer, _ result: Result<Void, HTTPTransportError>) {
        let (isOpen, starts) = state.withLock { state in
            let isOpen = state.transfers.removeValue(forKey: transfer.id) != nil
            let starts = state.dispatcher.finish(transfer.id).compactMap { start in
                state.transfers[start.id].map { ($0, start.loop) }
            }
            return (isOpen, starts)
        }
        for (next, loop) in starts { startOnLoop(next, loop) }
        if isOpen { transfer.receiver.end(result) }
    }

    /// Ends the requests that have waited too long for a connection.
    func endOverdueInQueue() {
        let now = MonotonicInstant.now
        let overdue: [HTTPTransfer] = state.withLock { state in
            guard let checkAt = state.queueCheckAt, checkAt <= now else { return [] }
            let overdue = state.dispatcher.takeOverdue(now: now).compactMap {
                state.transfers.removeValue(forKey: $0)
            }
            state.queueCheckAt = nil
            if state.dispatcher.queuedCount > 0 { Self.planQueueCheck(&state) }
            return overdue
        }
        for transfer in overdue { transfer.receiver.end(.failure(.queuedTooLong)) }
    }

    /// Ends a request that was cancelled: at once if it only waited, else on its loop.
    func cancel(_ transfer: HTTPTransfer) {
        let (wasWaiting, hasEnded) = state.withLock { state in
            guard state.dispatcher.withdraw(transfer.id) else {
                return (false, state.transfers[transfer.id] == nil)
            }
            state.transfers[transfer.id] = nil
            return (true, false)
        }
        if hasEnded { return }
        if wasWaiting {
            let tell = { @Sendable in transfer.receiver.end(.failure(.cancelled)) }
            if !run(tell) { tell() }
        } else {
            for loop in loops { loop.post(.cancel(transfer)) }
        }
    }
}

/// A request under way.
package final class HTTPTransfer: Sendable {
    let id: Dispatcher.RequestID
    package let request: HTTPRequest
    let receiver: any HTTPReceiver
    private let cancellation = Guarded(false)
    private let transport: HTTPTransport

    init(
        id: Dispatcher.RequestID, request: HTTPRequest, receiver: any HTTPReceiver,
        transport: HTTPTransport
    ) {
        self.id = id
        self.request = request
        self.receiver = receiver
        self.transport = transport
    }

    var isCancelled: Bool { cancellation.withLock { $0 } }

    /// Ends the request soon; the receiver is told `.cancelled` unless it has ended before.
    /// May be called from any thread, more than once. Locks: takes transport.
    package func cancel() {
        let isFirst = cancellation.withLock { isCancelled in
            defer { isCancelled = true }
            return !isCancelled
        }
        if isFirst { transport.cancel(self) }
    }
}

/// libcurl wants this once per process, before any thread uses it.
private let globalInitialisation: CURLcode = hubfs_curl_global_init()

/// `https://host:port` of an absolute URL: requests of one origin share connections.
///
/// - Returns: nil when the text is not an absolute http or https URL.
private func originText(_ url: String) -> String? {
    for scheme in ["https://", "http://"]
    where url.prefix(scheme.count).lowercased() == scheme {
        let rest = url.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return authority.isEmpty ? nil : scheme + authority.lowercased()
    }
    return nil
}
