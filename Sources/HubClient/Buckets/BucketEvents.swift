import HTTPTransport
import Platform

/// Listens to what changes in a bucket, where the Hub tells it: a bell, which says that it is time to look.
package final class BucketEvents: Sendable {
    private let stream: BucketEventStream

    /// - Parameter onChange: Called on a transfer thread when somebody else may have changed something;
    ///   also when listening begins.
    package init(
        _ client: HubClient, _ bucket: RepoID, onChange: @escaping @Sendable () -> Void
    ) {
        stream = BucketEventStream(client, bucket, onChange: onChange)
    }

    /// Whether changes are told as they happen.
    package var isListening: Bool { stream.isListening }

    /// Begins to listen. Call once.
    package func start() { stream.ask() }

    /// Listens no more.
    package func close() { stream.close() }
}

/// One bucket's events, asked for again whenever they end.
///
///     asking ──> listening ──> ended ──> after a wait: asking, behind the last event
///        └─ the Hub does not tell: silent
///
/// Source: `GET /api/buckets/{id}/events`, server-sent events.
private final class BucketEventStream: HTTPReceiver {
    private struct State {
        var transfer: HTTPTransfer?
        /// What has come of a line.
        var line: [UInt8] = []
        /// Of the event that is coming.
        var name = ""
        var data = ""
        /// Behind the last event that came.
        var cursor: String?
        var isListening = false
        var isSilent = false
        var isClosed = false
        var failureCount = 0
    }

    /// Statuses of a Hub that does not tell, or not to us: it is asked for the list from time to time.
    private static let silentStatuses: Set = [401, 403, 404, 501]
    /// A comment comes twice a minute at least.
    private static let stallSeconds = 90.0
    private static let waitSeconds: [Double] = [0.5, 1, 2, 5, 15, 60]
    /// A longer line is no event.
    private static let lineBytesMax = 16 << 20

    private let client: HubClient
    private let bucket: RepoID
    private let onChange: @Sendable () -> Void
    private let state = Guarded(State(), rank: .hub)

    init(
        _ client: HubClient, _ bucket: RepoID, onChange: @escaping @Sendable () -> Void
    ) {
        self.client = client
        self.bucket = bucket
        self.onChange = onChange
    }

    var isListening: Bool { state.withLock { $0.isListening } }

    func close() {
        let transfer = state.withLock { state in
            state.isClosed = true
            return state.transfer.take()
        }
        transfer?.cancel()
    }

    func ask() {
        let (cursor, isClosed) = state.withLock { ($0.cursor, $0.isClosed) }
        guard !isClosed, !client.configuration.isOffline,
            let url = client.routes?.bucketEvents(bucket, after: cursor)
        else { return }
        var bounds = client.bounds(isStream: true)
        bounds.stallSeconds = Self.stallSeconds
        let request = HTTPRequest(
            url: url.text, headers: client.headers(for: url) + [("Accept", "text/event-stream")],
            lane: .small, isUrgent: false, bounds: bounds)
        client.counters.countRequest(.api)
        let transfer = client.transport.submit(request, to: self)
        let isTooLate = state.withLock { state in
            if !state.isClosed { state.transfer = transfer }
            return state.isClosed
        }
        if isTooLate { transfer.cancel() }
    }

    func head(_ head: HTTPHead) -> Bool {
        let isStream = head["content-type"]?.hasPrefix("text/event-stream") ?? false
        state.withLock { state in
            (state.line, state.name, state.data) = ([], "", "")
            state.isSilent =
                Self.silentStatuses.contains(head.status) || (head.status == 200 && !isStream)
        }
        return head.status == 200 && isStream
    }

    func body(_ bytes: UnsafeRawBufferPointer) -> Bool {
        client.counters.countBytes(bytes.count, .api)
        var rings = false
        let goesOn = state.withLock { state in
            var rest = bytes[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                state.line += rest[..<end]
                rest = rest[(end + 1)...]
                let line = String(decoding: state.line, as: UTF8.self)
                state.line.removeAll(keepingCapacity: true)
                if take(line.hasSuffix("\r") ? line.dropLast() : line[...], &state) { rings = true }
            }
            state.line += rest
            return state.line.count + state.data.utf8.count <= Self.lineBytesMax
        }
        if rings { onChange() }
        return goesOn
    }

    /// - Returns: whether an event has come that is worth a look.
    private func take(_ line: Substring, _ state: inout State) -> Bool {
        if line.hasPrefix("event:") {
            state.name = String(line.dropFirst("event:".count).drop { $0 == " " })
        } else if line.hasPrefix("data:") {
            state.data += line.dropFirst("data:".count)
        } else if line.isEmpty {
            defer { (state.name, state.data) = ("", "") }
            return event(state.name, JSON(Array(state.data.utf8)), &state)
        }
        return false
    }

    private func event(_ name: String, _ data: JSON?, _ state: inout State) -> Bool {
        state.failureCount = 0
        if let cursor = data?["cursor"]?.string { state.cursor = cursor }
        switch name {
        case "ready":
            defer { state.isListening = true }
            // What happened before is not told.
            return !state.isListening
        case "changes":
            let changes = data?["changes"]?.array ?? []
            return !changes.allSatisfy { change in
                change["path"]?.string.map { path in
                    client.bucketStates.isOurs(bucket, path, change["xetHash"]?.string)
                } ?? false
            }
        case "reset":
            state.cursor = nil
            return true
        default: return false
        }
    }

    func end(_ result: Result<Void, HTTPTransportError>) {
        let wait: Double? = state.withLock { state in
            state.transfer = nil
            state.isListening = false
            if state.isSilent || state.isClosed { return nil }
            state.failureCount += 1
            return Self.waitSeconds[min(state.failureCount, Self.waitSeconds.count) - 1]
        }
        guard let wait else { return }
        client.timers.schedule(afterSeconds: wait) { [weak self] in self?.ask() }
    }
}
