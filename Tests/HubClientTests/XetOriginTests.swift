import HTTPTransport
import struct LocalHub.Fault
import class LocalHub.LocalHubServer
import struct LocalHub.XetOptions
import Platform
import TestSupport
import Testing
import XetCodec

@testable import HubClient

/// Contents through a real store in a folder.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct XetOriginTests {
    private static let large = XetOriginTests.noise(20 << 20)

    private static func noise(_ count: Int) -> [UInt8] {
        var state: UInt64 = 11
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
    }

    private final class Sink: ContentReceiver {
        let bytes = Guarded<[UInt8]>([])
        let result = Monitor<Result<Void, HubError>?>(nil)

        func receive(_ piece: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
            bytes.withLock { $0 += piece }
            return true
        }

        func finished(_ result: Result<Void, HubError>) {
            self.result.update {
                #expect($0 == nil, "it ends once")
                $0 = result
            }
        }

        func wait() -> Bool {
            let result = result.wait(until: .now.advanced(bySeconds: 60)) { $0 }
            return if case .success = result { true } else { false }
        }
    }

    /// Has no chunks, but lets everybody wait for what the store says.
    private final class NoChunks: ChunkKeeper {
        var isEmpty: Bool { false }

        func shared(_ terms: [XetTerm], of location: ContentLocation) -> [SharedChunks] { [] }

        func read(
            _ source: String, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
        ) -> Bool { false }
    }

    private struct World {
        let origin: XetOrigin
        let hub: ServedHub
        let location: ContentLocation

        /// Fetches a range as a stream would.
        func fetch(_ range: Range<Int>) -> Bool {
            let sink = Sink()
            _ = origin.fetch(
                location, range: UInt64(range.lowerBound)..<UInt64(range.upperBound),
                priority: .prefetch, into: sink)
            let bytes = XetOriginTests.large[range]
            return sink.wait() && sink.bytes.withLock { $0.elementsEqual(bytes) }
        }

        var counts: (cas: Int, xorb: Int, cdn: Int) {
            let counters = hub.server.counters.snapshot
            return (counters[.cas].requests, counters[.xorb].requests, counters[.cdn].requests)
        }
    }

    private static func with(_ body: @escaping @Sendable (World) throws -> Void) async throws {
        var options = LocalHubServer.Options()
        options.xet = XetOptions()
        try await ServedHub.use(options: options) { hub in
            try hub.makeRepo("lab/sample", files: ["large.bin": large])
            let transport = HTTPTransport()
            let timers = TimerQueue()
            let configuration = HubConfiguration(
                endpoint: hub.server.endpoint, token: FixedToken(nil))
            let client = HubClient(
                configuration: configuration, transport: transport, timers: timers)
            let origin = XetOrigin(client)
            origin.attach(NoChunks())
            defer {
                client.close()
                origin.close()
                transport.shutdown()
                timers.close()
            }
            let repo = RepoID(kind: .model, name: "lab/sample")
            let snapshot = try waitForAnswer { client.resolve(repo, .main, completion: $0) }.get()
            let listing = try waitForAnswer {
                client.list(
                    repo, at: snapshot.commit, path: "", recursive: true, entryCountMax: 10,
                    priority: .demand, completion: $0)
            }.get()
            let entry = listing.entries.first { $0.path == "large.bin" }
            guard case .file(let content, let size)? = entry?.kind else {
                Issue.record("no file")
                return
            }
            let location = ContentLocation(
                repo: snapshot.repo, commit: snapshot.commit, path: "large.bin",
                content: content, size: size)
            try body(World(origin: origin, hub: hub, location: location))
        }
    }

    @Test func everyKindOfRangeComesOutRight() async throws {
        try await Self.with { world in
            let size = Self.large.count
            let ranges = [
                0..<size, 0..<(1 << 20), size - (1 << 20)..<size, 999_999..<3_000_001,
                (8 << 20)..<(12 << 20),
            ]
            for range in ranges { #expect(world.fetch(range), "\(range)") }
            let counts = world.counts
            #expect(counts.cdn == 0 && counts.cas == 1 + ranges.count)
            #expect(counts.xorb == ranges.count)
            #expect(world.fetch(5..<70_000))
            #expect(world.counts.cdn == 1, "what is short comes the plain way")
            let figures = world.origin.figures
            #expect(figures.fallbacks.isEmpty && figures.plannedCount == 1)
            #expect(figures.unpackedBytes == UInt64(ranges.reduce(0) { $0 + $1.count }))
        }
    }

    @Test func anExpiredURLRefreshesThePlanOnce() async throws {
        try await Self.with { world in
            world.hub.server.faults.add(Fault(.expired, traffic: .xorb, count: 1))
            #expect(world.fetch(0..<(4 << 20)))
            #expect(world.counts.cas == 3 && world.counts.xorb == 2 && world.counts.cdn == 0)
            world.hub.server.faults.add(Fault(.expired, traffic: .xorb))
            #expect(world.fetch(0..<(4 << 20)))
            #expect(world.counts.cas == 5 && world.counts.xorb == 4 && world.counts.cdn == 1)
            #expect(world.origin.figures.fallbacks == [.transfer: 1])
        }
    }

    @Test func aRefusedTokenIsRenewedOnce() async throws {
        try await Self.with { world in
            #expect(world.fetch(0..<(1 << 20)))
            let endpoints = { world.hub.server.counters.snapshot.endpoints["xet-token"] ?? 0 }
            #expect(endpoints() == 1)
            world.hub.server.faults.add(
                Fault(.status(401, retryAfter: nil), traffic: .cas, count: 1))
            #expect(world.fetch(0..<(1 << 20)))
            #expect(endpoints() == 2 && world.origin.figures.fallbacks.isEmpty)
            world.hub.server.faults.add(Fault(.status(401, retryAfter: nil), traffic: .cas))
            #expect(world.fetch(0..<(1 << 20)))
            #expect(endpoints() == 3 && world.origin.figures.fallbacks == [.plan: 1])
        }
    }

    @Test func aStoreOfTheFirstVersionIsAskedThat() async throws {
        try await Self.with { world in
            world.hub.server.faults.add(
                Fault(.status(404, retryAfter: nil), path: "*/v2/reconstructions/*"))
            for _ in 0..<3 { #expect(world.fetch(0..<(1 << 20))) }
            // The first question twice, and then by the version that is known.
            #expect(world.counts.cas == 5 && world.counts.cdn == 0)
        }
    }

    @Test func manyAtOnceAskOnceForTheFile() async throws {
        try await Self.with { world in
            let sinks = (0..<5).map { _ in Sink() }
            for (number, sink) in sinks.enumerated() {
                let start = UInt64(number) << 22
                _ = world.origin.fetch(
                    world.location, range: start..<start + (4 << 20), priority: .prefetch,
                    into: sink)
            }
            for (number, sink) in sinks.enumerated() {
                #expect(sink.wait())
                let bytes = Self.large[number << 22..<(number + 1) << 22]
                #expect(sink.bytes.withLock { $0.elementsEqual(bytes) })
            }
            #expect(world.counts.cas == 6 && world.counts.cdn == 0)
            #expect(world.hub.server.counters.snapshot.endpoints["xet-token"] == 1)
        }
    }

    @Test func afterThreeFailuresTheFileComesThePlainWay() async throws {
        try await Self.with { world in
            world.hub.server.faults.add(Fault(.cut(atByte: 100_000), traffic: .xorb))
            for _ in 0..<5 { #expect(world.fetch(0..<(2 << 20))) }
            #expect(world.counts.xorb == 3 && world.counts.cdn == 5)
            #expect(world.origin.figures.fallbacks == [.transfer: 3])
        }
    }

    @Test func whatIsCancelledEndsOnce() async throws {
        try await Self.with { world in
            for round in 0..<20 {
                let sink = Sink()
                let fetch = world.origin.fetch(
                    world.location, range: 0..<(16 << 20), priority: .prefetch, into: sink)
                let pause = MonotonicInstant.now.advanced(bySeconds: 0.002 * Double(round))
                if round % 2 == 0 { _ = sink.result.wait(until: pause) { $0 } }
                fetch.cancel()
                #expect(sink.result.wait(until: .now.advanced(bySeconds: 60)) { $0 } != nil)
            }
            #expect(world.fetch(0..<(1 << 20)))
        }
    }
}
