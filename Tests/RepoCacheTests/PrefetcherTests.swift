import HubClient
import Platform
import Testing
import TestSupport

@testable import RepoCache

/// What is fetched ahead, over an origin that counts.
@Suite(.timeLimit(.minutes(5)))
struct PrefetcherTests {
    /// A list, and what became of it.
    private final class ListSource: AheadSource {
        private struct State {
            var items: [AheadItem]
            var ended: [(path: String, wasHere: Bool, failed: Bool)] = []
        }

        private let state: Guarded<State>

        init(_ items: [AheadItem]) {
            state = Guarded(State(items: items.reversed()), rank: .leaf)
        }

        var ended: [(path: String, wasHere: Bool, failed: Bool)] { state.withLock { $0.ended } }
        var leftCount: Int { state.withLock { $0.items.count } }

        func next() -> AheadItem? { state.withLock { $0.items.popLast() } }

        func ended(_ item: AheadItem, _ outcome: AheadOutcome) {
            let wasHere = if case .wasHere = outcome { true } else { false }
            let failed = if case .failed = outcome { true } else { false }
            state.withLock { $0.ended.append((item.location.path, wasHere, failed)) }
        }
    }

    private func files(_ fixture: CacheFixture, count: Int, bytes: Int) -> [ContentLocation] {
        (0..<count).map {
            fixture.add(lfs: sampleBytes(bytes, seed: UInt64($0 + 1)), path: "file-\($0)")
        }
    }

    @Test("everything is fetched once, as guesses, and found by its reader")
    func all() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        let files = files(fixture, count: 200, bytes: 5000)
        let source = ListSource(files.map { AheadItem($0) })
        cache.prefetcher.add(source)
        #expect(eventually { source.ended.count == 200 })
        #expect(source.ended.allSatisfy { !$0.wasHere && !$0.failed })
        #expect(fixture.origin.counts.prefetches == 200)
        for (number, file) in files.enumerated() {
            let content = try cache.contents.open(file)
            #expect(content.readHere(0, 5000) == sampleBytes(5000, seed: UInt64(number + 1)))
            content.close()
        }
        #expect(fixture.origin.counts.fetches == 200)
    }

    @Test("no more is under way than there are connections for")
    func bounded() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open { $0.smallPrefetchCountMax = 5 }
        fixture.origin.hold()
        let source = ListSource(files(fixture, count: 50, bytes: 5000).map { AheadItem($0) })
        cache.prefetcher.add(source)
        #expect(eventually { fixture.origin.counts.fetches == 5 })
        // One more was taken and found no room.
        #expect(eventually { source.leftCount == 44 })
        #expect(fixture.origin.counts.fetches == 5)
        fixture.origin.release()
        #expect(eventually { source.ended.count == 50 })
        #expect(fixture.origin.counts.fetches == 50)
    }

    @Test("room that is freed while it is found missing is used")
    func freedMeanwhile() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open { $0.smallPrefetchCountMax = 1 }
        let source = ListSource(files(fixture, count: 2000, bytes: 100).map { AheadItem($0) })
        cache.prefetcher.add(source)
        #expect(eventually(seconds: 20) { source.ended.count == 2000 })
    }

    @Test("a part of a large content is fetched in pieces, and only that")
    func ranges() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        let file = fixture.add(lfs: sampleBytes(40 << 20))
        let source = ListSource([AheadItem(file, range: 3 << 20..<17 << 20)])
        cache.prefetcher.add(source)
        #expect(eventually { source.ended.count == 1 })
        #expect(cache.contents.presentBytes(of: file.content, size: file.size) == 14 << 20)
        #expect(fixture.origin.ranges.allSatisfy { $0.count <= Int(Prefetcher.chunkBytes) })
    }

    @Test("what is here is not fetched")
    func present() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        let files = files(fixture, count: 3, bytes: 100_000)
        for file in files {
            let content = try cache.contents.open(file)
            _ = try content.readWaiting(0, 100_000).get()
            content.close()
        }
        let before = fixture.origin.counts.fetches
        let source = ListSource(files.map { AheadItem($0) })
        cache.prefetcher.add(source)
        #expect(eventually { source.ended.count == 3 })
        #expect(source.ended.allSatisfy { $0.wasHere })
        #expect(fixture.origin.counts.fetches == before)
    }

    @Test("a reader who comes to a guess under way has no request of his own")
    func joined() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        let file = files(fixture, count: 1, bytes: 5000)[0]
        fixture.origin.hold()
        let source = ListSource([AheadItem(file)])
        cache.prefetcher.add(source)
        #expect(eventually { fixture.origin.counts.fetches == 1 })
        let content = try cache.contents.open(file)
        defer { content.close() }
        let answer = Answer<Bool>()
        _ = content.read(offset: 0, count: 5000) { answer.give((try? $0.get()) != nil) }
        fixture.origin.release()
        #expect(answer.wait() == true)
        #expect(fixture.origin.counts.fetches == 1)
    }

    @Test("without the Hub guesses rest, and their reader asks for himself")
    func offline() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        let files = files(fixture, count: 500, bytes: 5000)
        fixture.origin.setOffline(true)
        let source = ListSource(files.map { AheadItem($0) })
        cache.prefetcher.add(source)
        #expect(eventually { !source.ended.isEmpty })
        fixture.origin.setOffline(false)
        let content = try cache.contents.open(files[499])
        defer { content.close() }
        #expect(try content.readWaiting(0, 5000).get() == sampleBytes(5000, seed: 500))
        #expect(source.leftCount > 300)
    }

    @Test("a source that is removed is not asked any more, and its items end")
    func removed() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open { $0.smallPrefetchCountMax = 2 }
        fixture.origin.hold()
        let source = ListSource(files(fixture, count: 10, bytes: 5000).map { AheadItem($0) })
        cache.prefetcher.add(source)
        #expect(eventually { source.leftCount == 7 && fixture.origin.counts.fetches == 2 })
        cache.prefetcher.remove(source)
        fixture.origin.release()
        #expect(eventually { source.ended.count == 3 })
        #expect(source.leftCount == 7)
    }

    @Test("a cache closes under guesses")
    func closing() throws {
        let fixture = CacheFixture()
        let cache = try fixture.open()
        fixture.origin.hold()
        cache.prefetcher.add(
            ListSource(files(fixture, count: 100, bytes: 5000).map { AheadItem($0) }))
        #expect(eventually { fixture.origin.counts.fetches > 50 })
        fixture.end()
    }
}
