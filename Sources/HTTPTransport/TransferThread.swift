import CCurl
import DequeModule
import Platform

/// One thread that drives many transfers through one CURLM.
///
/// `@unchecked Sendable`: `multi`'s wake-up may be called from any thread; everything else of curl,
/// `running` and `spareHandles` are used by the thread alone.
final class TransferThread: @unchecked Sendable {
    private struct Inbox {
        var demand = Deque<Transfer>()
        var prefetch = Deque<Transfer>()
        var isClosed = false
        /// Transfers that wait or run: what `load` shows.
        var count = 0
    }

    private let multi: UnsafeMutableRawPointer
    private let inbox = Guarded(Inbox(), rank: .transport)
    private let transferCountMax: Int
    private let prefetchCountMax: Int
    private var running: [UnsafeMutableRawPointer: Transfer] = [:]
    private var runningPrefetchCount = 0
    private var spareHandles: [UnsafeMutableRawPointer] = []
    private var thread: Thread!

    /// - Parameters:
    ///   - transferCountMax: Transfers, and so connections, at one time.
    ///   - prefetchCountMax: How many of them may be prefetches.
    init(number: Int, transferCountMax: Int, prefetchCountMax: Int) {
        self.transferCountMax = transferCountMax
        self.prefetchCountMax = prefetchCountMax
        multi = curl_multi_init()
        _ = hubfs_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, transferCountMax)
        thread = Thread(name: "hubfs-http-\(number)") { [unowned self] in run() }
    }

    /// Transfers that wait or run.
    var load: Int { inbox.withLock { $0.count } }

    /// Takes a transfer; its receiver hears of everything else.
    func submit(_ transfer: Transfer) {
        let isTaken = inbox.withLock { inbox in
            guard !inbox.isClosed else { return false }
            inbox.count += 1
            switch transfer.request.urgency {
            case .demand: inbox.demand.append(transfer)
            case .prefetch: inbox.prefetch.append(transfer)
            }
            return true
        }
        if isTaken { wake() } else { transfer.receiver.end(.failure(.cancelled)) }
    }

    /// Makes the thread look at its inbox and at cancelled transfers.
    func wake() {
        curl_multi_wakeup(multi)
    }

    /// Cancels everything and ends the thread. Not from a receiver.
    func close() {
        inbox.withLock { $0.isClosed = true }
        wake()
        thread.join()
    }

    private func run() {
        while !inbox.withLock({ $0.isClosed }) {
            startWaiting()
            var runningCount: Int32 = 0
            curl_multi_perform(multi, &runningCount)
            endFinished()
            endCancelledAndStalled()
            curl_multi_poll(multi, nil, 0, running.isEmpty ? 10_000 : 200, nil)
        }
        endAll()
    }

    private func startWaiting() {
        while running.count < transferCountMax, let transfer = nextWaiting() {
            let easy = spareHandles.popLast() ?? curl_easy_init()!
            if transfer.isCancelled.withLock({ $0 }) {
                spareHandles.append(easy)
                finish(transfer, .failure(.cancelled))
            } else if let error = transfer.configure(easy) {
                curl_easy_reset(easy)
                spareHandles.append(easy)
                finish(transfer, .failure(error))
            } else {
                running[easy] = transfer
                if transfer.request.urgency == .prefetch { runningPrefetchCount += 1 }
                curl_multi_add_handle(multi, easy)
            }
        }
    }

    private func nextWaiting() -> Transfer? {
        let mayPrefetch = runningPrefetchCount < prefetchCountMax
        return inbox.withLock { inbox in
            inbox.demand.popFirst() ?? (mayPrefetch ? inbox.prefetch.popFirst() : nil)
        }
    }

    private func endFinished() {
        var leftCount: Int32 = 0
        while let message = curl_multi_info_read(multi, &leftCount) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            let code = hubfs_curl_message_result(message)
            let easy = message.pointee.easy_handle!
            guard let transfer = remove(easy) else { continue }
            inbox.withLock { $0.count -= 1 }
            transfer.end(code)
        }
    }

    private func endCancelledAndStalled() {
        let now = MonotonicInstant.now
        for (easy, transfer) in running {
            if transfer.isCancelled.withLock({ $0 }) {
                _ = remove(easy)
                finish(transfer, .failure(.cancelled))
            } else if now.seconds(since: transfer.lastProgress)
                > transfer.request.stallTimeoutSeconds
            {
                _ = remove(easy)
                finish(transfer, .failure(.stalled))
            }
        }
    }

    /// Takes a handle out of curl; an unfinished transfer's connection is closed by that.
    private func remove(_ easy: UnsafeMutableRawPointer) -> Transfer? {
        curl_multi_remove_handle(multi, easy)
        curl_easy_reset(easy)
        spareHandles.append(easy)
        let transfer = running.removeValue(forKey: easy)
        if transfer?.request.urgency == .prefetch { runningPrefetchCount -= 1 }
        return transfer
    }

    private func finish(_ transfer: Transfer, _ result: Result<Void, HTTPTransportError>) {
        inbox.withLock { $0.count -= 1 }
        transfer.receiver.end(result)
    }

    private func endAll() {
        for (easy, transfer) in running {
            _ = remove(easy)
            finish(transfer, .failure(.cancelled))
        }
        while let transfer = inbox.withLock({ $0.demand.popFirst() ?? $0.prefetch.popFirst() }) {
            finish(transfer, .failure(.cancelled))
        }
        for easy in spareHandles { curl_easy_cleanup(easy) }
        curl_multi_cleanup(multi)
    }
}
