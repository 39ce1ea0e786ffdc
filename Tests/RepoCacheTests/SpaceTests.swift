import HubClient
import Platform
import SystemPackage
import Testing
import TestSupport

@testable import RepoCache

@Suite(.timeLimit(.minutes(5)))
struct SpaceTests {
    private func inventory(_ fixture: CacheFixture) throws -> CacheInventory {
        try CacheInventory(root: fixture.folder.path, logger: CacheFixture.logger)
    }

    @Test func theLeastRecentlyUsedContentsMakeRoom() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open { $0.sizeLimitBytes = 8 << 20 }
        let contents = (0..<16).map { number in
            let bytes = sampleBytes(1 << 20, seed: UInt64(number))
            return (bytes, fixture.add(lfs: bytes, path: "f\(number)"))
        }
        for (bytes, location) in contents {
            let content = try cache.contents.open(location)
            #expect(content.readWaiting(0, 1 << 20) == .success(bytes))
            content.close()
            #expect(eventually { cache.contents.services.ledger.excessBytes == 0 })
        }
        fixture.close(cache)
        let inventory = try inventory(fixture)
        defer { inventory.close() }
        let kept = try inventory.contents()
        #expect(kept.reduce(0) { $0 + $1.diskBytes } <= 8 << 20)
        #expect(kept.count >= 4)
    }

    @Test func whatEditsStandOnIsNeverEvicted() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let pinned = fixture.add(lfs: sampleBytes(1 << 20, seed: 99), path: "pinned")
        let cache = try fixture.open {
            $0.sizeLimitBytes = 8 << 20
            $0.pins = { [pinned.content] }
        }
        let others = (0..<12).map { number in
            fixture.add(lfs: sampleBytes(1 << 20, seed: UInt64(number)), path: "f\(number)")
        }
        for location in [pinned] + others {
            let content = try cache.contents.open(location)
            guard case .success = content.readWaiting(0, 1 << 20) else {
                Issue.record("\(location.path) cannot be read")
                continue
            }
            content.close()
            #expect(eventually { cache.contents.services.ledger.excessBytes == 0 })
        }
        #expect(cache.contents.presentBytes(of: pinned) == 1 << 20)
        // Which of the others is not told: uses are noted to the second.
        #expect(others.contains { cache.contents.presentBytes(of: $0) == 0 })
    }

    @Test func whatIsOpenIsNeverEvictedAndTheRestIsServedFromMemory() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open {
            $0.sizeLimitBytes = 1 << 20
            $0.unkeptBytesMax = 4 << 20
        }
        let bytes = sampleBytes(12 << 20)
        let content = try cache.contents.open(fixture.add(lfs: bytes))
        for offset in stride(from: 0, to: bytes.count, by: 1 << 20) {
            #expect(
                content.readWaiting(UInt64(offset), 1 << 20)
                    == .success(Array(bytes[offset..<offset + 1 << 20])))
        }
        #expect(content.presentBytes <= 1 << 20)
        #expect(content.readWaiting(0, 1 << 20) == .success(Array(bytes[0..<1 << 20])))
        let whole = sampleBytes(3 << 20, seed: 5)
        let blob = try cache.contents.open(fixture.add(git: whole))
        #expect(blob.readWaiting(0, 3 << 20) == .success(whole))
        let large = try cache.contents.open(fixture.add(git: sampleBytes(6 << 20, seed: 6)))
        #expect(large.readWaiting(0, 10) == .failure(.full(large.location.content)))
        for content in [content, blob, large] { content.close() }
    }

    /// Sixteen readers of streams and two of a content that is verified whole, all of which lack
    /// disk, share memory for less than two of them at a time.
    @Test func manyReadersShareTheMemoryOfAFullDisk() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open {
            $0.sizeLimitBytes = 256 << 10
            $0.unkeptBytesMax = 1 << 20
        }
        let bytes = sampleBytes(16 << 20)
        let whole = sampleBytes(900_000, seed: 5)
        let content = try cache.contents.open(fixture.add(lfs: bytes))
        let blob = try cache.contents.open(fixture.add(git: whole))
        let wrong = Monitor<[String]>([])
        let readers = (0..<18).map { number in
            Thread(name: "reader") {
                for step in 0..<8 {
                    let (file, expected) = number < 16 ? (content, bytes) : (blob, whole)
                    let start = number < 16 ? number << 20 | step << 17 : step * 100_000
                    // The seams are no blocks' seams: readers share blocks.
                    let range = max(start - 1000, 0)..<min(start + 600_000, expected.count)
                    let result = file.readWaiting(UInt64(range.lowerBound), range.count)
                    if result != .success(Array(expected[range])) {
                        wrong.update { $0.append("\(number) \(step): \(result.map(\.count))") }
                    }
                }
            }
        }
        for reader in readers { reader.join() }
        #expect(wrong.update { $0 } == [])
        #expect(cache.contents.services.unkept.byteCount <= 1 << 20)
        content.close()
        blob.close()
        #expect(cache.contents.services.unkept.byteCount == 0)
    }

    /// What holds the room does not come: who stands in line ends with `.full`, in bounded time.
    @Test func whoFindsNoRoomInTimeGetsFull() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let time = ManualTime()
        let cache = try fixture.open {
            $0.sizeLimitBytes = 0
            $0.unkeptBytesMax = 256 << 10
            $0.time = time
        }
        let bytes = sampleBytes(16 << 20)
        let content = try cache.contents.open(fixture.add(lfs: bytes))
        fixture.origin.inject(.stall(afterBytes: 70_000))
        let holds = Answer<Result<Void, CacheError>>()
        let holder = content.read(offset: 0, count: 256 << 10) { holds.give($0) }
        #expect(eventually { cache.contents.services.unkept.byteCount == 64 << 10 })
        let inLine = Answer<CacheError?>()
        _ = content.read(offset: 8 << 20, count: 100) { result in
            if case .failure(let error) = result { inLine.give(error) } else { inLine.give(nil) }
        }
        #expect(eventually { fixture.origin.counts.cancelled == 1 })
        #expect(inLine.count == 0)
        time.advance(bySeconds: 31)
        #expect(inLine.wait() == .full(content.location.content))
        holder?.cancel()
        #expect(holds.wait() != nil)
        content.close()
    }

    @Test func threadsThatWaitForTheirBytesHaveThemOnAFullDisk() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open {
            $0.sizeLimitBytes = 0
            $0.unkeptBytesMax = 1 << 20
        }
        let bytes = sampleBytes(12 << 20)
        let content = try cache.contents.open(fixture.add(lfs: bytes))
        let wrong = Monitor<[String]>([])
        let readers = (0..<12).map { number in
            Thread(name: "reader") {
                for start in stride(from: number << 20, to: (number + 1) << 20, by: 400_000) {
                    var buffer = [UInt8](repeating: 0xEE, count: 400_000)
                    let read = buffer.withUnsafeMutableBytes { buffer in
                        try? content.readWaiting(into: buffer, at: UInt64(start))
                    }
                    let expected = bytes[start..<min(start + 400_000, bytes.count)]
                    if read != expected.count
                        || !buffer.prefix(expected.count).elementsEqual(expected)
                    {
                        wrong.update { $0.append("\(start): \(String(describing: read))") }
                    }
                }
            }
        }
        for reader in readers { reader.join() }
        #expect(wrong.update { $0 } == [])
        content.close()
    }

    /// A file larger than the cache streams through memory, and nothing of it comes twice.
    @Test func aStreamGoesOnAheadOnAFullDisk() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open {
            $0.sizeLimitBytes = 0
            $0.unkeptBytesMax = 4 << 20
        }
        let bytes = sampleBytes(40 << 20)
        let content = try cache.contents.open(fixture.add(lfs: bytes))
        var most = 0
        for offset in stride(from: 0, to: bytes.count, by: 256 << 10) {
            #expect(
                content.readWaiting(UInt64(offset), 256 << 10)
                    == .success(Array(bytes[offset..<offset + 256 << 10])))
            most = max(most, cache.contents.services.unkept.byteCount)
        }
        #expect(fixture.origin.counts.prefetches > 10)
        #expect(fixture.origin.counts.bytesAsked == UInt64(bytes.count))
        #expect(most <= 4 << 20)
        content.close()
        #expect(cache.contents.services.unkept.byteCount == 0)
    }

    @Test func theInventoryListsRemovesAndScrubs() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        let small = sampleBytes(500)
        let large = sampleBytes(300_000)
        let openBytes = sampleBytes(400_000)
        let locations = [
            fixture.add(git: small, path: "small"), fixture.add(lfs: large, path: "large"),
            fixture.add(git: openBytes, path: "open"),
        ]
        var contents = try locations.map { try cache.contents.open($0) }
        for content in contents { _ = content.readWaiting(0, 10) }
        #expect(eventually { contents[1].state == .sealed && contents[2].state == .sealed })
        #expect(cache.contents.presentBytes(of: locations[1].content, size: 300_000) == 300_000)
        contents[0].close()
        contents[1].close()
        #expect(cache.contents.presentBytes(of: locations[1].content, size: 300_000) == 300_000)
        cache.flush()

        let inventory = try inventory(fixture)
        defer { inventory.close() }
        #expect(eventually { (try? inventory.contents().count) == 3 })
        let listed = try inventory.contents()
        for location in locations {
            let entry = try #require(listed.first { $0.content == location.content })
            #expect(entry.size == location.size && entry.presentBytes == location.size)
            #expect(entry.isSealed && entry.diskBytes >= location.size)
            #expect(
                entry.paths == [CachedPath(repo: "models/org/model", path: location.path)])
        }
        #expect(try inventory.verify().damaged.isEmpty)
        #expect(try inventory.verify().checkedCount == 3)

        let hex = locations[1].content.hex
        let shard = fixture.folder.path.appending("contents").appending(String(hex.prefix(2)))
        let file = try openForUpdate(shard.appending(hex), creates: false)
        try [UInt8](repeating: 7, count: 10).withUnsafeBytes { try file.writeWhole($0, at: 99) }
        try file.close()
        #expect(try inventory.verify().damaged == [locations[1].content])

        let removal = try inventory.remove(try inventory.contents())
        #expect(removal.removedCount == 1 && removal.inUse == [locations[2].content])
        #expect(contents[2].readHere(0, 10) == Array(openBytes[0..<10]))
        contents[2].close()
        contents = []
        #expect(eventually { (try? inventory.remove(try inventory.contents()).removedCount) == 1 })
        #expect(try inventory.contents().isEmpty)
    }

    @Test func aScrubReachesReadersOfOtherProcesses() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(300_000)
        let location = fixture.add(lfs: bytes)
        let content = try fixture.open().contents.open(location)
        _ = content.readWaiting(0, 10)
        #expect(eventually { content.state == .sealed })
        let hex = location.content.hex
        let shard = fixture.folder.path.appending("contents").appending(String(hex.prefix(2)))
        let file = try openForUpdate(shard.appending(hex), creates: false)
        try [UInt8](repeating: 7, count: 10).withUnsafeBytes { try file.writeWhole($0, at: 99) }
        try file.close()
        let inventory = try inventory(fixture)
        defer { inventory.close() }
        #expect(try inventory.verify().damaged == [location.content])
        #expect(content.readWaiting(0, 10) == .failure(.integrity(location.content)))
        content.close()
    }

    @Test func manySmallContentsComeBackFromTheirRows() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open { $0.smallBytesMax = 100_000 }
        let all = (0..<300).map { number in
            let bytes = sampleBytes(1000 + number, seed: UInt64(number))
            return (bytes, fixture.add(git: bytes, path: "f\(number)"))
        }
        for _ in 0..<2 {
            for (bytes, location) in all {
                let content = try cache.contents.open(location)
                #expect(content.readWaiting(0, bytes.count) == .success(bytes))
                content.close()
            }
        }
        #expect(fixture.origin.counts.fetches == 300)
        fixture.close(cache)
        fixture.origin.setOffline(true)
        let next = try fixture.open()
        for (bytes, location) in all {
            let content = try next.contents.open(location)
            #expect(content.readHere(0, bytes.count) == bytes)
            content.close()
        }
    }
}
