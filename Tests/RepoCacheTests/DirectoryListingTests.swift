import HubClient
import Testing

@testable import RepoCache

@Suite struct DirectoryListingTests {
    private static let tree = TreeOID(hex: String(repeating: "1", count: 40))!
    private static let blob = BlobOID(hex: String(repeating: "2", count: 40))!
    private static let lfs = LFSOID(hex: String(repeating: "3", count: 64))!

    private func make(
        _ entries: some Sequence<(name: String, kind: TreeEntry.Kind)>, below directory: String = ""
    ) -> DirectoryListing? {
        DirectoryListing(entries.map { TreeEntry(path: directory + $0.name, kind: $0.kind) })
    }

    @Test(arguments: ["", "a/b/"])
    func entriesComeBackSortedByTheirBytes(directory: String) throws {
        let entries: [(name: String, kind: TreeEntry.Kind)] = [
            ("b", .file(.lfs(Self.lfs), size: 1 << 40)), ("a", .directory(Self.tree)),
            ("é", .file(.git(Self.blob), size: 7)), ("B", .directory(Self.tree)),
            ("a.b", .directory(Self.tree)), ("b", .directory(Self.tree)),
        ]
        let listing = try #require(make(entries, below: directory))
        #expect((0..<listing.count).map { listing.name(at: $0) } == ["B", "a", "a.b", "b", "é"])
        #expect(listing.kind(at: 3) == .file(.lfs(Self.lfs), size: 1 << 40))
        #expect(listing.kind(at: 4) == .file(.git(Self.blob), size: 7))
        #expect(listing.kind(at: 0) == .directory(Self.tree))
        #expect(listing.fileBytes == 1 << 40 + 7)
        for index in 0..<listing.count {
            #expect(listing.index(of: listing.name(at: index)) == index)
        }
        for name in ["", "A", "aa", "c", "éa"] { #expect(listing.index(of: name) == nil) }

        let stored = try #require(DirectoryListing(stored: listing.bytes))
        #expect(
            (0..<stored.count).map { stored.entry(at: $0) } == (0..<5).map { listing.entry(at: $0) }
        )
    }

    @Test func datesComeBackWhereThereAreAny() throws {
        let dates: [String: Int64?] = ["a": 1_700_000_000_000_000_000, "b": nil, "c": 0]
        let entries = dates.map { name, date in
            TreeEntry(path: name, kind: .file(.lfs(Self.lfs), size: 5), modifiedNanoseconds: date)
        }
        let listing = try #require(DirectoryListing(entries))
        let stored = try #require(DirectoryListing(stored: listing.bytes))
        for listing in [listing, stored] {
            #expect((0..<3).map { listing.name(at: $0) } == ["a", "b", "c"])
            #expect(
                (0..<3).map { listing.modifiedNanoseconds(at: $0) } == [dates["a"]!, nil, 0])
            #expect(listing.index(of: "c") == 2)
        }
        for count in 0..<listing.bytes.count {
            #expect(DirectoryListing(stored: Array(listing.bytes.prefix(count))) == nil)
        }
        // What git has takes no room for them, and is what it was.
        let undated = try #require(make([("a", .file(.lfs(Self.lfs), size: 5))]))
        #expect(undated.modifiedNanoseconds(at: 0) == nil && undated.bytes[4] == 1)
        #expect(undated.bytes.count == DirectoryListing.headerBytes + 48 + 1)
    }

    @Test func anEmptyDirectoryIsOne() throws {
        let listing = try #require(DirectoryListing([]))
        #expect(listing.count == 0 && listing.index(of: "a") == nil)
        #expect(DirectoryListing(stored: listing.bytes)?.count == 0)
    }

    @Test func damagedBuffersAreRefused() throws {
        let listing = try #require(
            make([("name", .directory(Self.tree)), ("other", .directory(Self.tree))]))
        for count in 0..<listing.bytes.count {
            #expect(DirectoryListing(stored: Array(listing.bytes.prefix(count))) == nil)
        }
        for index in [0, 4, 8, 11, 18, 21] {
            var bytes = listing.bytes
            bytes[index] = 0xFF
            #expect(DirectoryListing(stored: bytes) == nil, "byte \(index)")
        }
    }

    @Test func namesThatNoDirectoryCanHoldAreRefused() {
        let long = String(repeating: "x", count: 65536)
        #expect(make([(long, .directory(Self.tree))]) == nil)
        #expect(make([("", .directory(Self.tree))]) == nil)
    }

    @Test func aHundredThousandEntriesAreAFewMegabytes() throws {
        let names = (0..<100_000).map { "data-file-\($0).parquet" }
        let listing = try #require(
            make(names.lazy.map { ($0, .file(.lfs(Self.lfs), size: 5)) }))
        #expect(listing.count == 100_000)
        #expect(listing.bytes.count < 8 << 20)
        let place = try #require(listing.index(of: "data-file-54321.parquet"))
        #expect(listing.name(at: place) == "data-file-54321.parquet")
    }
}
