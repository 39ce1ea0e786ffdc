import HubClient
import Platform
import SystemPackage
import TestSupport
import Testing

@testable import RepoCache

/// Contents that come from local files.
@Suite struct AdoptionTests {
    /// More than may wait for their rows at once, several times over.
    @Test func everySmallContentIsKept() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        let path = fixture.folder.path.appending("source")
        let locations = try (0..<400).map { number in
            var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 60_000)
            bytes[0] = UInt8(number >> 8)
            let location = fixture.add(lfs: bytes, path: "\(number).bin")
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
            try file.closeAfter { _ = try file.writeAll(bytes) }
            cache.contents.adopt(location, from: path)
            return location
        }
        fixture.close(cache)
        let next = try fixture.open()
        for location in locations {
            #expect(next.contents.services.small.holds(location.content), "\(location.path)")
        }
    }
}
