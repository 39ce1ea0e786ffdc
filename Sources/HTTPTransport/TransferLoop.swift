import CCurl
import Platform

/// One thread with one libcurl multi handle: runs the requests given to it.
///
/// Other threads reach it through `post` only. Source: man 3 libcurl-multi.
///
/// `@unchecked Sendable`: everything but the inbox belongs to the loop's thread; `multi` is
/// constant, and curl_multi_wakeup may be called on it from any thread.
final class TransferLoop: @unchecked Sendable {
    enum Command {
        case start(HTTPTransfer)
        case cancel(HTTPTransfer)
        case run(@Sendable () -> Void)
        case stop
    }

    private struct Inbox {
        var commands: [Command] = []
        var isClosed = false
        /// The loop's thread waits, or is about to. Invariant: nothing has been added since.
        var isWaiting = false
    }

    private let inbox = Guarded(Inbox(), rank: .transport)
    private let multi: UnsafeMutableRawPointer
    private let options: HTTPTransport.Configuration
    private weak var owner: HTTPTransport?
    private var active: [UnsafeMutableRawPointer: ActiveTransfer] = [:]
    /// Idle handles by lane, because the size of their receive buffer is the lane's.
    private var idle: [HTTPRequest.Lane: [EasyHandle]] = [:]
    private var isStopping = false
    /// When time-outs are looked at next.
    private var lookAt = MonotonicInstant.now

    /// A request may last so much longer than its time-outs allow.
    private static let lookSeconds = 0.25
    /// Idle easy handles kept per lane; more are freed.
    private static let idleCountMax = 32

    init(options: HTTPTransport.Configuration) {
        guard let multi = curl_multi_init() else { fatalError("libcurl is out of memory") }
        self.multi = multi
        self.options = options
        let connectionCountMax =
            options.streamCountPerHostMax + options.smallCountPerHostMax
            + options.uploadCountPerHostMax
        let status = hubfs_multi_set_long(multi, CURLMOPT_MAXCONNECTS, connectionCountMax)
        precondition(status == CURLM_OK, "libcurl knows CURLMOPT_MAXCONNECTS")
    }

    deinit { curl_multi_cleanup(multi) }

    /// Hands a command to the loop's thread. Locks: takes transport.
    ///
    /// - Returns: false when the loop has ended; the command is not carried out.
    @discardableResult
    func post(_ command: Command) -> Bool {
        let (isAccepted, mustWake) = inbox.withLock { inbox in
            guard !inbox.isClosed else { return (false, false) }
            inbox.commands.append(command)
            defer { inbox.isWaiting = false }
            return (true, inbox.isWaiting)
        }
        if mustWake { curl_multi_wakeup(multi) }
        return isAccepted
    }

    /// The thread's body: returns after `.stop`.
    func run(owner: HTTPTransport) {
        self.owner = owner
        while true {
            for command in takeCommands() { carryOut(command) }
            if isStopping { break }
            var runningCount: Int32 = 0
            curl_multi_perform(multi, &runningCount)
            endFinished()
            endOverdue()
            owner.endOverdueInQueue()
            if beginWaiting() { curl_multi_poll(multi, nil, 0, pollMilliseconds(), nil) }
        }
        close()
    }

    private func takeCommands() -> [Command] {
        inbox.withLock { inbox in
            let commands = inbox.commands
            inbox.commands = []
            inbox.isWaiting = false
            return commands
        }
    }

    /// - Returns: false when there are commands already: what this thread does leads to most of them,
    ///   and it need not wake itself.
    private func beginWaiting() -> Bool {
        inbox.withLock { inbox in
            inbox.isWaiting = inbox.commands.isEmpty
            return inbox.isWaiting
        }
    }

    private func carryOut(_ command: Command) {
        switch command {
        case .start(let transfer): start(transfer)
        case .cancel(let transfer):
            let running = active.values.first { $0.transfer === transfer }
            if let running { end(running, .failure(.cancelled)) }
        case .run(let job): job()
        case .stop: isStopping = true
        }
    }

    private func start(_ transfer: HTTPTransfer) {
        if transfer.isCancelled || isStopping {
            owner?.finished(transfer, .failure(.cancelled))
            return
        }
        guard let easy = idle[transfer.request.lane]?.popLast() ?? EasyHandle() else {
            owner?.finished(transfer, .failure(.failed(code: 27, reason: "out of memory")))
            return
        }
        let running = ActiveTransfer(transfer, easy: easy, now: .now)
        let context = Unmanaged.passUnretained(running).toOpaque()
        guard easy.prepare(transfer.request, options: options, context: context),
            curl_multi_add_handle(multi, easy.pointer) == CURLM_OK
        else {
            owner?.finished(transfer, .failure(.badURL))
            return
        }
        active[easy.pointer] = running
    }

    /// Ends what libcurl has finished, well or not.
    private func endFinished() {
        var remainingCount: Int32 = 0
        while let message = curl_multi_info_read(multi, &remainingCount) {
            guard message.pointee.msg == CURLMSG_DONE, let pointer = message.pointee.easy_handle,
                let running = active[pointer]
            else { continue }
            let code = hubfs_message_result(message)
            end(running, result(of: running, code: code))
        }
    }

    /// Looks at every request's time-outs, at most once in `lookSeconds`: a thread with dozens of small
    /// requests comes by thousands of times a second.
    private func endOverdue() {
        let now = MonotonicInstant.now
        guard now >= lookAt else { return }
        for running in active.values {
            if let error = running.overdue(now: now) { end(running, .failure(error)) }
        }
        lookAt = now.advanced(bySeconds: Self.lookSeconds)
    }

    private func result(
        of running: ActiveTransfer, code: CURLcode
    ) -> Result<Void, HTTPTransportError> {
        if case .refused(let error) = running.phase { return .failure(error) }
        guard code != CURLE_OK else { return .success(()) }
        return .failure(
            transportError(code, isConnected: running.isConnected, bytes: running.bodyByteCount))
    }

    /// Taking an unfinished handle out closes its connection, so a retry gets another one.
    private func end(_ running: ActiveTransfer, _ result: Result<Void, HTTPTransportError>) {
        guard active.removeValue(forKey: running.easy.pointer) != nil else { return }
        curl_multi_remove_handle(multi, running.easy.pointer)
        running.easy.releaseRequest()
        let lane = running.transfer.request.lane
        if idle[lane, default: []].count < Self.idleCountMax {
            idle[lane, default: []].append(running.easy)
        }
        owner?.finished(running.transfer, result)
    }

    private func pollMilliseconds() -> Int32 {
        let instants = [active.isEmpty ? nil : lookAt, owner?.queueCheckAt].compactMap { $0 }
        // Nothing to wait for: the next command wakes us.
        guard let first = instants.min() else { return 60_000 }
        return Int32(min(max(first.seconds(since: .now) * 1000 + 1, 1), 60_000))
    }

    /// Ends everything that is left; nothing is accepted after.
    private func close() {
        for running in Array(active.values) { end(running, .failure(.cancelled)) }
        let left = inbox.withLock { inbox in
            inbox.isClosed = true
            let commands = inbox.commands
            inbox.commands = []
            return commands
        }
        for command in left { carryOut(command) }
        idle = [:]
    }
}
