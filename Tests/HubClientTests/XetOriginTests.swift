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
        let pieceCount = Guarded(0)
        let result = Monitor<Result<Void, HubError>?>(nil)

        func receive(_ piece: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
            bytes.withLock { $0 += piece }
            pieceCount.withLock { $0 += 1 }
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

        func open(_ source: String) -> (any ChunkSource)? { nil }
    }

    /// Has the large file under another name, but for some of its chunks.
    private final class OtherContent: ChunkKeeper, ChunkSource {
        struct Counts: Hashable {
            var opened = 0
            var read = 0
            var expectedBytes = 0
        }

        let counts = Guarded(Counts())
        private let absent: Range<Int>
        /// Bytes that stand before the file's in the other content.
        private let shift: UInt64 = 1000

        /// - Parameter absent: Numbers of chunks that it does not have.
        init(without absent: Range<Int> = 0..<0) { self.absent = absent }

        static let chunks: [MerkleNode] = {
            var hasher = FileHasher()
            XetOriginTests.large.withUnsafeBytes { hasher.update($0) }
            _ = hasher.finish()
            return hasher.chunks
        }()

        static func start(ofChunk index: Int) -> UInt64 {
            chunks[..<index].reduce(0) { $0 + $1.byteCount }
        }

        var isEmpty: Bool { false }

        func shared(_ terms: [XetTerm], of location: ContentLocation) -> [SharedChunks] {
            [0..<absent.lowerBound, absent.upperBound..<Self.chunks.count].filter { !$0.isEmpty }
                .map { numbers in
                    var ends: [UInt32] = []
                    for chunk in Self.chunks[numbers] {
                        ends.append((ends.last ?? 0) + UInt32(chunk.byteCount))
                    }
                    let start = Self.start(ofChunk: numbers.lowerBound)
                    return SharedChunks(
                        start: start, source: "other", sourceStart: start + shift, ends: ends,
                        hashes: Self.chunks[numbers].map(\.hash))
                }
        }

        func open(_ source: String) -> (any ChunkSource)? {
            counts.withLock { $0.opened += 1 }
            return source == "other" ? self : nil
        }

        func expect(_ range: Range<UInt64>) {
            counts.withLock { $0.expectedBytes += range.count }
        }

        func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
            counts.withLock { $0.read += 1 }
            let start = Int(offset - shift)
            buffer.copyBytes(from: XetOriginTests.large[start..<start + buffer.count])
            return true
        }
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

    private static func with(
        keeper: any ChunkKeeper = NoChunks(),
        _ body: @escaping @Sendable (World) throws -> Void
    ) async throws {
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
            origin.attach(keeper)
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

    @Test func chunksAreHandedOnInLargePieces() async throws {
        try await Self.with { world in
            let sink = Sink()
            _ = world.origin.fetch(
                world.location, range: 8 << 20..<12 << 20, priority: .prefetch, into: sink)
            #expect(sink.wait())
            #expect(sink.bytes.withLock { $0.elementsEqual(Self.large[8 << 20..<12 << 20]) })
            #expect(sink.pieceCount.withLock { $0 } == (4 << 20) / PieceBuffer.byteCount)
        }
    }

    @Test func aRangeLeavesItsConnectionToTheNext() async throws {
        try await Self.with { world in
            #expect(world.fetch(0..<(2 << 20)))
            let before = world.hub.server.counters.snapshot.connections
            // They end amid chunks, and with the file.
            for number in 1..<8 { #expect(world.fetch(number << 21..<(number + 1) << 21)) }
            #expect(world.fetch(Self.large.count - (1 << 20)..<Self.large.count))
            #expect(world.counts.xorb == 9 && world.origin.figures.fallbacks.isEmpty)
            #expect(world.hub.server.counters.snapshot.connections == before)
        }
    }

    @Test func whatAnotherContentHasIsOpenedOnceForARange() async throws {
        let other = OtherContent()
        try await Self.with(keeper: other) { world in
            let range = 4 << 20..<8 << 20
            #expect(world.fetch(range))
            #expect(world.counts == (cas: 1, xorb: 0, cdn: 0))
            let counts = other.counts.withLock { $0 }
            #expect(counts.opened == 1 && counts.expectedBytes == range.count)
            // As many chunks as fit go at once.
            let least = PieceBuffer.byteCount - Chunker.byteCountMax
            #expect(counts.read <= range.count / least + 1)
            #expect(world.origin.figures.sharedBytes == UInt64(range.count))
        }
    }

    @Test func whatTheOtherContentLacksIsFetchedAlone() async throws {
        let absent = 100..<102
        let other = OtherContent(without: absent)
        try await Self.with(keeper: other) { world in
            #expect(world.fetch(0..<Self.large.count))
            #expect(world.counts == (cas: 1, xorb: 0, cdn: 1))
            #expect(other.counts.withLock { $0.opened } == 2)
            let lacking = OtherContent.chunks[absent].reduce(0) { $0 + $1.byteCount }
            #expect(world.hub.server.counters.snapshot[.cdn].bytesSent == Int(lacking))
            #expect(
                world.origin.figures.sharedBytes == UInt64(Self.large.count) - lacking)
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
