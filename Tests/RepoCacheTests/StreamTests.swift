import HubClient
import Platform
import RepoCache
import Testing
import TestSupport

@Suite(.timeLimit(.minutes(5)))
struct StreamTests {
    @Test func aStreamIsReadAheadAndNothingTwice() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(48 << 20)
        let content = try fixture.open().contents.open(fixture.add(lfs: bytes))
        var offset = 0
        while offset < bytes.count {
            let read = try content.readWaiting(UInt64(offset), 1 << 20).get()
            #expect(read == Array(bytes[offset..<offset + 1 << 20]))
            offset += 1 << 20
        }
        let counts = fixture.origin.counts
        #expect(counts.bytesDelivered == UInt64(bytes.count))
        #expect(counts.prefetches > 4)
        #expect(counts.fetches < 48)
        #expect(eventually { content.state == .sealed })
        content.close()
    }

    /// Issue: one tensor of 103, under 2 MB more than that tensor.
    @Test func oneTensorFetchesLittleMore() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(32 << 20)
        let content = try fixture.open().contents.open(fixture.add(lfs: bytes))
        let tensor = 20_000_000..<22_359_296
        _ = content.readWaiting(0, 128 << 10)
        for offset in stride(from: tensor.lowerBound, to: tensor.upperBound, by: 128 << 10) {
            _ = content.readWaiting(UInt64(offset), 128 << 10)
        }
        // Prefetch is asked for at once or never: nothing more comes later.
        #expect(fixture.origin.counts.bytesAsked < UInt64(tensor.count + 1_000_000))
        content.close()
    }

    @Test func closingStopsReadahead() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(64 << 20)
        let content = try fixture.open().contents.open(fixture.add(lfs: bytes))
        for offset in stride(from: 8 << 20, to: 24 << 20, by: 1 << 20) {
            _ = content.readWaiting(UInt64(offset), 1 << 20)
        }
        fixture.origin.hold()
        _ = content.readHere(24 << 20, 1 << 20)
        _ = content.readHere(25 << 20, 1 << 20)
        content.close()
        fixture.origin.release()
        let counts = fixture.origin.counts
        #expect(eventually { fixture.origin.counts.bytesDelivered == counts.bytesDelivered })
        #expect(fixture.origin.counts.bytesDelivered < UInt64(bytes.count))
    }

    @Test func prefetchKeepsToItsBudget() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(32 << 20)
        let cache = try fixture.open {
            $0.prefetchCountMax = 2
            $0.prefetchBytesMax = 1 << 20
        }
        let content = try cache.contents.open(fixture.add(lfs: bytes))
        for offset in stride(from: 0, to: bytes.count, by: 1 << 20) {
            #expect(
                content.readWaiting(UInt64(offset), 1 << 20)
                    == .success(Array(bytes[offset..<offset + 1 << 20])))
        }
        #expect(fixture.origin.ranges.allSatisfy { $0.count <= 1 << 20 })
        content.close()
    }
}
