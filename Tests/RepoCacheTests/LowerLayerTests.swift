import HubClient
import Platform
import SystemPackage
import Testing
import TestSupport

@testable import RepoCache

/// The official client's cache below ours.
@Suite(.timeLimit(.minutes(5)))
struct LowerLayerTests {
    private static let large = 9 << 20

    private func root(_ fixture: CacheFixture) -> FilePath {
        fixture.folder.path.appending("official")
    }

    /// Puts bytes where the official client has a content.
    @discardableResult
    private func place(
        _ bytes: [UInt8], as location: ContentLocation, _ fixture: CacheFixture,
        inSnapshot: Bool = false, repo: String = "models--org--model"
    ) throws -> FilePath {
        let folder = root(fixture).appending(repo)
        let path =
            inSnapshot
            ? folder.appending("snapshots").appending(location.commit.hex)
                .appending(location.path)
            : folder.appending("blobs").appending(location.content.hex)
        try Folder.create(path.removingLastComponent())
        let file = try openForUpdate(path, creates: true)
        try bytes.withUnsafeBytes { try file.writeWhole($0, at: 0) }
        try file.close()
        return path
    }

    private func open(_ fixture: CacheFixture) throws -> RepoCache {
        try fixture.open { $0.lowerRoot = root(fixture) }
    }

    @Test(arguments: [false, true])
    func whatTheOfficialClientHasIsNotFetched(inSnapshot: Bool) throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let samples = [100, 65_536, 300_000, Self.large].map { count in
            let bytes = sampleBytes(count, seed: UInt64(count))
            return (bytes, fixture.add(lfs: bytes, path: "f\(count)"))
        }
        for (bytes, location) in samples {
            try place(bytes, as: location, fixture, inSnapshot: inSnapshot)
        }
        let cache = try open(fixture)
        for (bytes, location) in samples {
            #expect(cache.contents.presentBytes(of: location) == location.size)
            let content = try cache.contents.open(location)
            #expect(content.readHere(0, bytes.count) == bytes)
            #expect(eventually { content.state == .sealed })
            content.close()
        }
        #expect(fixture.origin.counts.fetches == 0)
        #expect(try SpaceSurvey(CacheFolder(fixture.folder.path)).items.isEmpty)
    }

    @Test func anOldModelIsFoundUnderItsBareName() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(1000)
        let location = fixture.add(git: bytes)
        try place(bytes, as: location, fixture, repo: "models--model")
        let content = try open(fixture).contents.open(location)
        #expect(content.readHere(0, 1000) == bytes)
        content.close()
    }

    /// What is verified before its first byte is served is fetched instead.
    @Test(arguments: [100, 300_000])
    func aDamagedFileIsNotBelieved(count: Int) throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(count)
        let location = fixture.add(lfs: bytes)
        var damaged = bytes
        damaged[count / 2] ^= 1
        let path = try place(damaged, as: location, fixture)
        let cache = try open(fixture)
        let content = try cache.contents.open(location)
        #expect(content.readWaiting(0, count) == .success(bytes))
        #expect(fixture.origin.counts.bytesAsked == UInt64(count))
        content.close()
        // It is not ours to mend.
        let kept = try openForUpdate(path, creates: false)
        defer { try? kept.close() }
        var found = [UInt8](repeating: 0, count: count)
        #expect(
            try found.withUnsafeMutableBytes { try kept.readWhole(into: $0, at: 0) } == count)
        #expect(found == damaged)
    }

    @Test func aLargeDamagedFileIsFoundOutAndThenFetched() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(Self.large)
        let location = fixture.add(lfs: bytes)
        var damaged = bytes
        damaged[Self.large - 1] ^= 1
        try place(damaged, as: location, fixture)
        let cache = try open(fixture)
        let content = try cache.contents.open(location)
        #expect(eventually { content.state == .failed })
        #expect(content.readWaiting(0, 10) == .failure(.integrity(location.content)))
        #expect(fixture.origin.counts.fetches == 0)
        content.close()
        // Who opens it from now on has it from the Hub, in the next process too.
        for cache in [cache, try open(fixture)] {
            let again = try cache.contents.open(location)
            let tail = UInt64(Self.large - 10)
            #expect(again.readWaiting(tail, 10) == .success(bytes.suffix(10)))
            #expect(again.state == .partial)
            again.close()
        }
    }

    @Test func aFileOfAnotherSizeIsNotLookedInto() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(300_000)
        let location = fixture.add(lfs: bytes)
        try place(bytes + [0], as: location, fixture)
        let content = try open(fixture).contents.open(location)
        #expect(content.readHere(0, 10) == nil)
        #expect(content.readWaiting(0, 10) == .success(Array(bytes.prefix(10))))
        content.close()
    }

    @Test func aFileIsHashedOnceUntilItChanges() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(Self.large)
        let location = fixture.add(lfs: bytes)
        let path = try place(bytes, as: location, fixture)
        for isFirst in [true, false] {
            let cache = try open(fixture)
            let content = try cache.contents.open(location)
            if !isFirst { #expect(content.state == .sealed) }
            #expect(eventually { content.state == .sealed })
            content.close()
            fixture.close(cache)
        }
        let file = try openForUpdate(path, creates: false)
        try [bytes[0] ^ 1].withUnsafeBytes { try file.writeWhole($0, at: 0) }
        try file.close()
        let content = try open(fixture).contents.open(location)
        #expect(content.state != .sealed)
        #expect(eventually { content.state == .failed })
        content.close()
    }

    @Test func aFileThatVanishesStaysReadableForWhoHasItOpen() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(300_000)
        let location = fixture.add(lfs: bytes)
        let path = try place(bytes, as: location, fixture)
        let cache = try open(fixture)
        let content = try cache.contents.open(location)
        try Folder.unlink(path)
        #expect(content.readHere(0, bytes.count) == bytes)
        content.close()
        let next = try cache.contents.open(location)
        #expect(next.readWaiting(0, bytes.count) == .success(bytes))
        #expect(fixture.origin.counts.fetches > 0)
        next.close()
    }
}
