import HubClient
import Platform
import SystemPackage
import Testing
import TestSupport

@testable import RepoCache

/// What a killed process, a power cut or a careless hand leaves behind.
@Suite(.timeLimit(.minutes(5)))
struct RestartTests {
    private static let anotherBoot = BootID(bytes: [UInt8](repeating: 9, count: 16))

    /// Fetches the first MiB and forgets the cache without closing it, as a kill would.
    private func leftBehind(
        _ fixture: CacheFixture, _ bytes: [UInt8]
    ) throws -> (ContentLocation, FilePath) {
        let location = fixture.add(lfs: bytes)
        let content = try fixture.open().contents.open(location)
        #expect(content.readWaiting(0, 1 << 20) == .success(Array(bytes[0..<1 << 20])))
        let hex = location.content.hex
        let shard = fixture.folder.path.appending("contents").appending(String(hex.prefix(2)))
        content.close()
        return (location, shard.appending(hex))
    }

    private func change(_ path: FilePath, at offset: UInt64, to bytes: [UInt8]) throws {
        let file = try openForUpdate(path, creates: false)
        defer { try? file.close() }
        try bytes.withUnsafeBytes { try file.writeWhole($0, at: offset) }
    }

    private func truncate(_ path: FilePath, to size: UInt64) throws {
        let file = try openForUpdate(path, creates: false)
        defer { try? file.close() }
        try file.truncate(to: size)
    }

    @Test func whatIsPresentIsReadByTheNextProcess() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 << 20)
        let (location, _) = try leftBehind(fixture, bytes)
        fixture.origin.setOffline(true)
        let content = try fixture.open().contents.open(location)
        #expect(content.readHere(0, 1 << 20) == Array(bytes[0..<1 << 20]))
        #expect(content.readWaiting(4 << 20, 10) == .failure(.hub(.offline)))
        content.close()
    }

    @Test func afterAPowerCutOnlyIntactBlocksAreBelieved() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 << 20)
        let (location, path) = try leftBehind(fixture, bytes)
        let fetched = fixture.origin.counts.fetches
        try change(path, at: 5 * 65536 + 7, to: [UInt8](repeating: 0, count: 100))
        let content = try fixture.open { $0.bootID = Self.anotherBoot }.contents.open(location)
        #expect(content.readWaiting(0, 1 << 20) == .success(Array(bytes[0..<1 << 20])))
        #expect(fixture.origin.counts.fetches == fetched + 1)
        let refetched: Range<UInt64> = 327_680..<360_448
        #expect(fixture.origin.ranges.last == refetched)
        content.close()
        // It was checked once: the next one of this boot believes what it finds.
        let next = try fixture.open { $0.bootID = Self.anotherBoot }.contents.open(location)
        #expect(next.state == .partial)
        next.close()
    }

    @Test(arguments: [0, 1, 100, 128, 300] as [UInt64])
    func aTruncatedSidecarStartsTheContentAnew(size: UInt64) throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 << 20)
        let (location, path) = try leftBehind(fixture, bytes)
        try truncate(FilePath(path.string + ".map"), to: size)
        let content = try fixture.open().contents.open(location)
        #expect(content.presentBytes == 0)
        #expect(content.readWaiting(10, 1000) == .success(Array(bytes[10..<1010])))
        content.close()
    }

    @Test func aTruncatedFileOfBytesStartsTheContentAnew() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 << 20)
        let (location, path) = try leftBehind(fixture, bytes)
        try truncate(path, to: 65536)
        let content = try fixture.open().contents.open(location)
        #expect(content.readWaiting(0, 1 << 20) == .success(Array(bytes[0..<1 << 20])))
        content.close()
    }

    @Test func aFileCutWhileOpenIsFetchedAgain() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 << 20)
        let (location, path) = try leftBehind(fixture, bytes)
        let content = try fixture.open().contents.open(location)
        try truncate(path, to: 65536)
        #expect(content.readWaiting(0, 1 << 20) == .success(Array(bytes[0..<1 << 20])))
        content.close()
    }

    @Test(arguments: [0, 8, 12, 16, 48, 60])
    func aDamagedHeaderStartsTheContentAnew(offset: Int) throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 << 20)
        let (location, path) = try leftBehind(fixture, bytes)
        try change(FilePath(path.string + ".map"), at: UInt64(offset), to: [0xFE])
        let content = try fixture.open().contents.open(location)
        #expect(content.presentBytes == 0)
        #expect(content.readWaiting(0, 100) == .success(Array(bytes[0..<100])))
        content.close()
    }

    @Test(arguments: [true, false])
    func aContentLeftWholeButUnsealedIsVerified(isRight: Bool) throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(9 << 20)
        let location = fixture.add(lfs: bytes)
        let file = try ContentFile.open(
            location.content, size: location.size, in: try CacheFolder(fixture.folder.path),
            bootID: .current)
        for block in file.geometry.all {
            let range = file.geometry.bytes(ofBlock: block)
            var part = Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
            if !isRight, block == 100 { part[5] ^= 1 }
            try part.withUnsafeBytes { try file.write($0, blocks: block..<block + 1) }
        }
        let content = try fixture.open().contents.open(location)
        #expect(eventually { content.state == (isRight ? .sealed : .failed) })
        content.close()
        #expect(fixture.origin.counts.fetches == 0)
    }

    @Test(arguments: ["cache.db", "small.db"])
    func aDamagedDatabaseIsMadeAnew(name: String) throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let bytes = sampleBytes(1000)
        let location = fixture.add(git: bytes)
        let cache = try fixture.open()
        let content = try cache.contents.open(location)
        #expect(content.readWaiting(0, 1000) == .success(bytes))
        content.close()
        fixture.close(cache)
        let path = fixture.folder.path.appending(name)
        try truncate(path, to: 0)
        try change(path, at: 0, to: sampleBytes(10_000))
        let again = try fixture.open().contents.open(location)
        #expect(again.readWaiting(0, 1000) == .success(bytes))
        again.close()
    }
}
