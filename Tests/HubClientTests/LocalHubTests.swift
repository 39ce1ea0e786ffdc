import HTTPTransport
import struct LocalHub.Fault
import Platform
import Testing
import TestSupport

@testable import HubClient

/// The client against a real Hub in a folder.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct LocalHubTests {
    private static let small: [UInt8] = Array("{\"a\": 1}\n".utf8)
    private static let large = (0..<(12 << 20)).map {
        UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13)
    }
    private let repo = RepoID(kind: .model, name: "lab/sample")

    /// Collects what a fetch delivers.
    private final class Sink: ContentReceiver {
        let state = Guarded<(start: UInt64?, bytes: [UInt8])>((nil, []))
        let result = Monitor<Result<Void, HubError>?>(nil)

        func receive(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
            state.withLock { state in
                if state.start == nil { state.start = offset }
                #expect(offset == state.start! + UInt64(state.bytes.count))
                state.bytes.append(contentsOf: bytes)
            }
            return true
        }

        func finished(_ result: Result<Void, HubError>) {
            self.result.update { $0 = result }
        }

        func wait() -> Result<Void, HubError> { result.wait { $0 }! }
    }

    private func withClient(
        _ body:
            @escaping @Sendable (
                HubClient, ServedHub, RepoSnapshot, [String: TreeEntry.Kind]
            ) throws -> Void
    ) async throws {
        try await ServedHub.use { [repo] hub in
            try hub.makeRepo(
                "lab/sample",
                files: ["config.json": Self.small, "dir/large.bin": Self.large, "empty": []])
            let transport = HTTPTransport()
            let timers = TimerQueue()
            var configuration = HubConfiguration(
                endpoint: hub.server.endpoint, token: FixedToken(nil))
            configuration.timeouts.readSeconds = 8
            configuration.timeouts.stallSeconds = 1
            let client = HubClient(
                configuration: configuration, transport: transport, timers: timers)
            defer {
                client.close()
                transport.shutdown()
                timers.close()
            }
            let snapshot = try waitForAnswer { client.resolve(repo, .main, completion: $0) }.get()
            let listing = try waitForAnswer {
                client.list(
                    repo, at: snapshot.commit, path: "", recursive: true, entryCountMax: 1000,
                    priority: .demand, completion: $0)
            }.get()
            let kinds = Dictionary(
                uniqueKeysWithValues: listing.entries.map { ($0.path, $0.kind) })
            try body(client, hub, snapshot, kinds)
        }
    }

    private func location(
        _ path: String, _ snapshot: RepoSnapshot, _ kinds: [String: TreeEntry.Kind]
    ) -> ContentLocation {
        guard case .file(let content, let size) = kinds[path] else { fatalError("no \(path)") }
        return ContentLocation(
            repo: snapshot.repo, commit: snapshot.commit, path: path, content: content, size: size)
    }

    @Test func listsAndFetches() async throws {
        try await withClient { client, _, snapshot, kinds in
            #expect(snapshot.commitDateNanoseconds > 0)
            #expect(
                Set(kinds.keys).isSuperset(of: ["config.json", "dir", "dir/large.bin", "empty"]))
            for (path, bytes) in [("config.json", Self.small), ("dir/large.bin", Self.large)] {
                let sink = Sink()
                _ = client.fetch(
                    location(path, snapshot, kinds), range: 0..<UInt64(bytes.count),
                    priority: .demand, into: sink)
                try sink.wait().get()
                #expect(sink.state.withLock { $0.bytes } == bytes)
            }
        }
    }

    @Test(arguments: [
        Fault.Kind.cut(atByte: 70_000), .reset(atByte: 50_000), .reset(atByte: nil),
        .stall(atByte: 30_000), .stall(atByte: nil), .status(503, retryAfter: nil),
        .rateLimited(seconds: 1), .ignoreRange, .gzip, .expired,
    ])
    func survivesOnce(_ fault: Fault.Kind) async throws {
        try await withClient { client, hub, snapshot, kinds in
            _ = hub.server.faults.add(Fault(fault, traffic: .cdn, count: 1))
            let range: Range<UInt64> = 1_000_000..<3_000_001
            let sink = Sink()
            _ = client.fetch(
                location("dir/large.bin", snapshot, kinds), range: range, priority: .demand,
                into: sink)
            try sink.wait().get()
            #expect(sink.state.withLock { $0.bytes } == Array(Self.large[1_000_000..<3_000_001]))
        }
    }

    @Test(arguments: [
        Fault.Kind.status(500, retryAfter: nil), .stall(atByte: nil), .gzip, .ignoreRange,
        .reset(atByte: nil), .rateLimited(seconds: 300), .expired,
    ])
    func endsInTimeWhenItLasts(_ fault: Fault.Kind) async throws {
        try await withClient { client, hub, snapshot, kinds in
            _ = hub.server.faults.add(Fault(fault, traffic: .cdn))
            let sink = Sink()
            _ = client.fetch(
                location("dir/large.bin", snapshot, kinds), range: 9_000_000..<9_100_000,
                priority: .demand,
                into: sink)
            #expect(throws: HubError.self) { try sink.wait().get() }
        }
    }

    @Test func asksTheHubOncePerFile() async throws {
        try await withClient { client, hub, snapshot, kinds in
            let sinks = (0..<20).map { _ in Sink() }
            for (index, sink) in sinks.enumerated() {
                let start = UInt64(index) * 100_000
                _ = client.fetch(
                    location("dir/large.bin", snapshot, kinds), range: start..<start + 100_000,
                    priority: .demand, into: sink)
            }
            for sink in sinks { try sink.wait().get() }
            #expect(client.counters.snapshot.requests[.resolve] == 1)
            #expect(client.counters.snapshot.requests[.cdn] == 20)
        }
    }
}
