import HubClient
import Platform
import RepoCache
import Testing
import TestSupport

/// Random reads of several contents through two caches on one folder, with faults, closes and
/// restarts between: each read gives the right bytes or an error, and always ends.
@Suite(.timeLimit(.minutes(5)))
struct RandomReadTests {
    private static let sizes = [0, 1, 70_000, 500_000, 65536, 9 << 20, 12 << 20 + 321]

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func everyReadIsRightOrFails(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let fixture = CacheFixture()
        defer { fixture.end() }
        let truth = Self.sizes.enumerated().map { index, size in
            let bytes = sampleBytes(size, seed: UInt64(index))
            let isGit = index % 2 == 0 && size < 1 << 20
            return (bytes, isGit ? fixture.add(git: bytes) : fixture.add(lfs: bytes))
        }
        func makeCache(_ random: inout SplitMix) throws -> RepoCache {
            let isTight = random.next() % 3 == 0
            return try fixture.open {
                $0.hedgeSeconds = 0.05
                $0.readTimeoutSeconds = 1
                if isTight { $0.sizeLimitBytes = 6 << 20 }
            }
        }
        var caches = [try makeCache(&random), try makeCache(&random)]
        var failureCount = 0
        for step in 0..<120 {
            if random.next() % 6 == 0 { inject(&random, fixture.origin) }
            if random.next() % 40 == 0 {
                let index = Int(random.next() % 2)
                fixture.close(caches[index])
                caches[index] = try makeCache(&random)
            }
            let (bytes, location) = truth[Int(random.next() % UInt64(truth.count))]
            let content = try caches[Int(random.next() % 2)].contents.open(location)
            defer { content.close() }
            let offset = Int(random.next() % UInt64(bytes.count + 10))
            let count = Int(random.next() % 300_000)
            let expected = Array(bytes[min(offset, bytes.count)..<min(offset + count, bytes.count)])
            switch content.readWaiting(UInt64(offset), count) {
            case .success(let read):
                #expect(
                    read == expected, "seed \(seed) step \(step) at \(offset) of \(bytes.count)")
            case .failure:
                failureCount += 1
            }
        }
        #expect(failureCount < 60, "seed \(seed)")
    }

    private func inject(_ random: inout SplitMix, _ origin: MemoryOrigin) {
        let number = 1 + Int(random.next() % 3)
        let count = Int(random.next() % 100_000)
        let error = HubError.unreachable(url: "u", reason: "injected")
        switch random.next() % 3 {
        case 0: origin.inject(.fail(error), atFetch: number)
        case 1: origin.inject(.cut(afterBytes: count, error), atFetch: number)
        default: origin.inject(.stall(afterBytes: count), atFetch: number)
        }
    }
}
