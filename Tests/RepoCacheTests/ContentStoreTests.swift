import HubClient
import Platform
import RepoCache
import SystemPackage
import Testing
import TestSupport

@Suite(.timeLimit(.minutes(5)))
struct ContentStoreTests {
    private static let mebibyte = 1 << 20

    @Test func aReadFetchesOnlyItsBlocks() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(12 * Self.mebibyte + 123)
        let content = try fixture.open().contents.open(fixture.add(lfs: bytes))
        #expect(content.readHere(100, 10) == nil)
        #expect(content.readWaiting(100_000, 50_000) == .success(Array(bytes[100_000..<150_000])))
        #expect(fixture.origin.ranges == [98_304..<163_840])
        #expect(content.readHere(98_304, 10) == Array(bytes[98_304..<98_314]))
        #expect(content.presentBytes == 65536)
        content.close()
    }

    @Test func readsEndAtTheEndOfTheContent() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 * Self.mebibyte + 5)
        let content = try fixture.open().contents.open(fixture.add(lfs: bytes))
        let size = UInt64(bytes.count)
        #expect(content.readWaiting(size - 10, 100) == .success(Array(bytes.suffix(10))))
        #expect(content.readHere(size, 100) == [])
        #expect(content.readHere(size + 5, 100) == [])
        #expect(content.readWaiting(size + 5, 100) == .success([]))
        content.close()
    }

    @Test(arguments: [0, 1, 65535, 65536, 65537, 300_000])
    func gitBlobsOfAllSizesAreFetchedOnceAndVerified(size: Int) throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(size)
        let location = fixture.add(git: bytes)
        let cache = try fixture.open()
        let content = try cache.contents.open(location)
        #expect(content.readWaiting(0, size + 1) == .success(bytes))
        #expect(content.readHere(0, size) == bytes)
        #expect(fixture.origin.counts.fetches == (size == 0 ? 0 : 1))
        content.close()
        fixture.close(cache)

        fixture.origin.setOffline(true)
        let again = try fixture.open().contents.open(location)
        #expect(again.readWaiting(0, size) == .success(bytes))
        again.close()
    }

    @Test(arguments: [1000, 300_000])
    func wrongBytesOfAWholeContentAreNeverServed(size: Int) throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(size)
        let location = fixture.add(lfs: bytes)
        let cache = try fixture.open()
        let dropped = Answer<ContentID>()
        cache.contents.onContentDropped { dropped.give($0) }
        fixture.origin.inject(.lie)
        let content = try cache.contents.open(location)
        #expect(content.readWaiting(0, 10) == .failure(.integrity(location.content)))
        #expect(dropped.wait() == location.content)
        #expect(content.readHere(0, 10) == nil)
        #expect(content.readWaiting(0, 10) == .failure(.integrity(location.content)))
        content.close()

        let again = try cache.contents.open(location)
        #expect(again.readWaiting(0, size) == .success(bytes))
        #expect(fixture.origin.counts.fetches == 2)
        again.close()
    }

    @Test func aLargeContentThatTurnsOutWrongIsDropped() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 * Self.mebibyte)
        let location = fixture.add(lfs: bytes)
        let cache = try fixture.open()
        let other = try fixture.open()
        let dropped = Answer<ContentID>()
        cache.contents.onContentDropped { dropped.give($0) }
        let content = try cache.contents.open(location)
        let shared = try other.contents.open(location)
        fixture.origin.inject(.lie)
        #expect(try content.readWaiting(0, 65536).get() != Array(bytes[0..<65536]))
        var offset = 65536
        while offset < bytes.count {
            if case .failure(let error) = content.readWaiting(UInt64(offset), 1 << 20) {
                #expect(error == .integrity(location.content))
            }
            offset += 1 << 20
        }
        #expect(dropped.wait() == location.content)
        #expect(content.state == .failed)
        #expect(content.readWaiting(0, 10) == .failure(.integrity(location.content)))
        #expect(shared.readWaiting(0, 10) == .failure(.integrity(location.content)))
        content.close()
        shared.close()

        let again = try cache.contents.open(location)
        #expect(again.presentBytes == 0)
        #expect(again.readWaiting(0, 10) == .success(Array(bytes[0..<10])))
        again.close()
    }

    @Test func aWholeContentIsSealedAndReadsWithoutTheHub() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 * Self.mebibyte + 77)
        let location = fixture.add(lfs: bytes)
        let cache = try fixture.open()
        let content = try cache.contents.open(location)
        for offset in stride(from: 0, to: bytes.count, by: 1 << 20) {
            let end = min(offset + 1 << 20, bytes.count)
            #expect(
                content.readWaiting(UInt64(offset), 1 << 20) == .success(Array(bytes[offset..<end]))
            )
        }
        #expect(eventually { content.state == .sealed })
        #expect(fixture.origin.counts.bytesDelivered == UInt64(bytes.count))
        content.close()
        fixture.close(cache)

        fixture.origin.setOffline(true)
        let second = try fixture.open().contents.open(location)
        #expect(second.state == .sealed)
        #expect(second.readHere(5, bytes.count) == Array(bytes[5...]))
        second.close()
    }

    /// Before whoever stored the last bytes gets to look whether they were the last.
    @Test func aReaderMayCloseAsSoonAsTheLastBytesAreHere() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 * Self.mebibyte)
        let content = try fixture.open().contents.open(fixture.add(lfs: bytes))
        fixture.origin.hold()
        let answer = Answer<Result<Void, CacheError>>()
        _ = content.read(offset: 0, count: bytes.count) { result in
            content.close()
            answer.give(result)
        }
        fixture.origin.release()
        guard case .success = answer.wait() else {
            Issue.record("the bytes did not come")
            return
        }
        #expect(eventually { content.state == .sealed })
    }

    @Test func equalReadsAreOneFetch() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(10 * Self.mebibyte)
        let content = try fixture.open().contents.open(fixture.add(lfs: bytes))
        fixture.origin.hold()
        let answers = (0..<8).map { _ in Answer<Result<Void, CacheError>>() }
        for answer in answers { _ = content.read(offset: 5, count: 1000) { answer.give($0) } }
        #expect(fixture.origin.counts.fetches == 1)
        fixture.origin.release()
        for answer in answers {
            guard case .success = answer.wait() else {
                Issue.record("a read failed")
                continue
            }
        }
        #expect(fixture.origin.counts.bytesAsked == 32768)
        content.close()
    }

    @Test func manyWhoOpenANewContentAtOnceAllGetIt() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let caches = [try fixture.open(), try fixture.open()]
        for number in 0..<100 {
            let location = fixture.add(lfs: sampleBytes(100_000, seed: UInt64(number)))
            let threads = (0..<16).map { reader in
                Thread(name: "opener") {
                    #expect(throws: Never.self) {
                        try caches[reader % 2].contents.open(location).close()
                    }
                }
            }
            for thread in threads { thread.join() }
        }
    }

    @Test func twoCachesOnOneFolderFetchOnce() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(10 * Self.mebibyte)
        let location = fixture.add(lfs: bytes)
        let first = try fixture.open().contents.open(location)
        let second = try fixture.open().contents.open(location)
        #expect(first.readWaiting(0, 200_000) == .success(Array(bytes[0..<200_000])))
        #expect(second.readHere(0, 200_000) == Array(bytes[0..<200_000]))
        #expect(fixture.origin.counts.fetches == 1)
        first.close()
        second.close()
    }

    @Test func aBlockThatAnotherProcessBringsWakesTheReader() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(10 * Self.mebibyte)
        let location = fixture.add(lfs: bytes)
        let first = try fixture.open { $0.hedgeSeconds = 30 }.contents.open(location)
        let second = try fixture.open().contents.open(location)
        fixture.origin.inject(.stall(afterBytes: 0))
        let answer = Answer<Result<Void, CacheError>>()
        _ = first.read(offset: 0, count: 100) { answer.give($0) }
        #expect(second.readWaiting(0, 100) == .success(Array(bytes[0..<100])))
        guard case .success = answer.wait() else {
            Issue.record("the reader was not woken")
            return
        }
        #expect(first.readHere(0, 100) == Array(bytes[0..<100]))
        first.close()
        second.close()
    }

    @Test func aStalledFetchIsAskedForAgain() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(10 * Self.mebibyte)
        let cache = try fixture.open { $0.hedgeSeconds = 0.1 }
        let content = try cache.contents.open(fixture.add(lfs: bytes))
        fixture.origin.inject(.stall(afterBytes: 1000))
        #expect(content.readWaiting(0, 1000) == .success(Array(bytes[0..<1000])))
        #expect(fixture.origin.counts.fetches == 2)
        #expect(eventually { fixture.origin.counts.cancelled == 1 })
        content.close()
    }

    @Test func aReadWithoutProgressTimesOut() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let location = fixture.add(lfs: sampleBytes(10 * Self.mebibyte))
        let cache = try fixture.open {
            $0.hedgeSeconds = 100
            $0.readTimeoutSeconds = 0.2
        }
        let content = try cache.contents.open(location)
        fixture.origin.inject(.stall(afterBytes: 7000))
        #expect(
            content.readWaiting(131_072, 1000)
                == .failure(.timedOut(location.content, offset: 131_072, count: 1000)))
        #expect(eventually { fixture.origin.counts.cancelled == 1 })
        content.close()
    }

    @Test func aFailedFetchFailsItsReadersAndNobodyElse() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(10 * Self.mebibyte)
        let content = try fixture.open().contents.open(fixture.add(lfs: bytes))
        let error = HubError.unreachable(url: "u", reason: "cut")
        fixture.origin.inject(.cut(afterBytes: 65536, error))
        #expect(content.readWaiting(0, 131_072) == .failure(.hub(error)))
        #expect(content.readHere(0, 65536) == Array(bytes[0..<65536]))
        // The kernel asks again at once, and hears the same; whoever comes later is served.
        #expect(content.readWaiting(65536, 4096) == .failure(.hub(error)))
        #expect(
            eventually {
                content.readWaiting(0, 131_072) == .success(Array(bytes[0..<131_072]))
            })
        content.close()
    }

    @Test func aCancelledReadCancelsItsFetch() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let content = try fixture.open().contents.open(
            fixture.add(lfs: sampleBytes(10 * Self.mebibyte)))
        fixture.origin.inject(.stall(afterBytes: 0))
        let answer = Answer<Result<Void, CacheError>>()
        let ticket = content.read(offset: 0, count: 10) { answer.give($0) }
        ticket?.cancel()
        guard case .failure(.cancelled) = answer.wait() else {
            Issue.record("the read was not cancelled")
            return
        }
        #expect(eventually { fixture.origin.counts.cancelled == 1 })
        ticket?.cancel()
        #expect(answer.count == 1)
        content.close()
    }

    @Test func closingAnswersEveryParkedRead() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        let large = try cache.contents.open(fixture.add(lfs: sampleBytes(10 * Self.mebibyte)))
        let small = try cache.contents.open(fixture.add(git: sampleBytes(100)))
        let blob = try cache.contents.open(fixture.add(git: sampleBytes(100_000)))
        let answers = (0..<3).map { _ in Answer<Result<Void, CacheError>>() }
        for number in 1...3 { fixture.origin.inject(.stall(afterBytes: 0), atFetch: number) }
        _ = large.read(offset: 0, count: 10) { answers[0].give($0) }
        _ = small.read(offset: 0, count: 10) { answers[1].give($0) }
        _ = blob.read(offset: 0, count: 10) { answers[2].give($0) }
        fixture.close(cache)
        for answer in answers {
            guard case .failure(.closed) = answer.wait() else {
                Issue.record("a read was not answered")
                continue
            }
        }
        #expect(throws: CacheError.closed) {
            try cache.contents.open(fixture.add(git: sampleBytes(5)))
        }
    }

    /// Many contents that have to be hashed before their first byte, all asked for at once.
    @Test func manyWholeContentsAtOnceAreAllServed() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        let locations = (0..<400).map { number in
            fixture.add(lfs: sampleBytes(66_000, seed: UInt64(number)), path: "f\(number)")
        }
        let contents = try locations.map { try cache.contents.open($0) }
        let answers = contents.map { content in
            let answer = Answer<Result<Void, CacheError>>()
            _ = content.read(offset: 0, count: 100) { answer.give($0) }
            return answer
        }
        for (number, content) in contents.enumerated() {
            guard case .success = answers[number].wait() else {
                Issue.record("content \(number) was not served")
                continue
            }
            let bytes = sampleBytes(66_000, seed: UInt64(number))
            #expect(content.readHere(0, 66_000) == bytes)
            content.close()
        }
    }
}
