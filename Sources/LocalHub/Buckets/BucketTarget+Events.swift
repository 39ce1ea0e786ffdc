import Foundation
import HTTPTypes
import NIOCore
import Synchronization

/// events: what changes in a bucket, told as it happens.
extension BucketTarget {
    /// Where a follower begins.
    enum FeedStart: Sendable {
        /// Behind this change.
        case cursor(Int)
        /// What it asks for is not kept any more.
        case tooOld
    }

    func events() async throws -> Answer {
        guard let feeds = try service.requireXet().feeds else { throw Refusal.unknownPath }
        let start = try await blocking { try feedStart() }
        let events = BucketEvents(self, feeds, from: start)
        request.whenClientIsGone { events.end() }
        return Answer(
            .ok,
            headers: [
                .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache",
            ], body: .stream(events))
    }

    private func feedStart() throws -> FeedStart {
        let known = try registry.knownChanges(of: bucket)
        if let text = request.parameter("cursor") {
            guard let cursor = Int(text), cursor >= 0, try cursor <= registry.lastBucketChange()
            else { throw Refusal.badRequest("Invalid cursor") }
            return cursor < known.dropped ? .tooOld : .cursor(cursor)
        }
        guard let text = request.parameter("since") else { return .cursor(known.last) }
        guard let since = Self.milliseconds(text) else {
            throw Refusal.badRequest("Invalid since: an ISO 8601 date is expected")
        }
        if since < Self.milliseconds(known.droppedAt) { return .tooOld }
        let first = try registry.bucketChange(of: bucket, since: Double(since) / 1000)
        return .cursor(first.map { $0 - 1 } ?? known.last)
    }

    /// Dates are told in milliseconds, so no others are compared.
    private static func milliseconds(_ seconds: Double) -> Int {
        Int((seconds * 1000).rounded(.down))
    }

    private static func milliseconds(_ text: String) -> Int? {
        for options: ISO8601DateFormatter.Options in [
            [.withInternetDateTime, .withFractionalSeconds], [.withInternetDateTime],
        ] {
            let formatter = ISO8601DateFormatter()
            formatter.formatOptions = options
            if let date = formatter.date(from: text) {
                return Int((date.timeIntervalSince1970 * 1000).rounded())
            }
        }
        return nil
    }
}

/// The body of an answer that tells a bucket's changes: server-sent events.
///
/// ```
/// changes* ▶ ready ▶ (changes | ping)* ▶ reconnect        reset
/// ```
final class BucketEvents: BodyStream {
    private struct State {
        /// The last change that was told, or need not be.
        var cursor = 0
        var isReady = false
        var isEnding = false
        /// Not sent yet.
        var text = ByteBuffer()
    }

    private struct Changes: Encodable {
        let cursor: String
        let changes: [BucketChangeRecord]
    }

    private struct Place: Encodable {
        let cursor: String?
    }

    private struct Reset: Encodable {
        let reason = "The changes asked for are not kept any more"
    }

    /// Changes of one event.
    private static let changesMax = 1000

    private let target: BucketTarget
    private let feeds: BucketFeeds
    private let follower: BucketFeeds.Follower
    private let state: Mutex<State>

    init(_ target: BucketTarget, _ feeds: BucketFeeds, from start: BucketTarget.FeedStart) {
        self.target = target
        self.feeds = feeds
        follower = feeds.follow(target.bucket.id)
        var state = State()
        switch start {
        case .cursor(let cursor): state.cursor = cursor
        case .tooOld:
            state.text = (try? Self.event("reset", Reset())) ?? ByteBuffer()
            state.isEnding = true
        }
        self.state = Mutex(state)
    }

    func next(max: Int) async throws -> ByteBuffer {
        while true {
            let piece = state.withLock { state in
                state.text.readSlice(length: min(max, state.text.readableBytes)) ?? ByteBuffer()
            }
            let (isReady, isEnding) = state.withLock { ($0.isReady, $0.isEnding) }
            if piece.readableBytes > 0 || isEnding { return piece }
            if isReady { guard await isWoken() else { return ByteBuffer() } }
            try await look()
        }
    }

    func end() { feeds.end(follower) }

    private func isWoken() async -> Bool {
        for await _ in follower.wakes { return true }
        return false
    }

    /// Finds something to tell.
    private func look() async throws {
        let cursor = state.withLock { $0.cursor }
        let target = target
        let found = try await target.blocking {
            () -> (changes: [BucketChangeRecord], hasAny: Bool)? in
            guard let bucket = try target.registry.bucket(id: target.bucket.id) else { return nil }
            do {
                try target.caller.requireSight(of: bucket)
            } catch is Refusal {
                return nil
            }
            let changes = try target.registry.changes(
                of: bucket, after: cursor, limit: Self.changesMax)
            return (changes, try target.registry.knownChanges(of: bucket).last > 0)
        }
        try state.withLock { state in
            guard let found else {
                state.isEnding = true
                return
            }
            let place = Place(cursor: found.hasAny ? String(cursor) : nil)
            if let last = found.changes.last {
                state.cursor = last.id
                state.text = try Self.event(
                    "changes", Changes(cursor: String(last.id), changes: found.changes))
            } else if feeds.isClosing {
                state.text = try Self.event("reconnect", place)
                state.isEnding = true
            } else if !state.isReady {
                state.text = try Self.event("ready", place)
                state.isReady = true
            } else {
                state.text = ByteBuffer(string: ": ping\n\n")
            }
        }
    }

    private static func event(_ name: String, _ body: some Encodable) throws -> ByteBuffer {
        var text = ByteBuffer(string: "event: \(name)\ndata: ")
        text.writeBytes(try JSONText.encode(body))
        text.writeString("\n\n")
        return text
    }
}
