import Glibc
import HubClient
import Platform
import RepoCache
import SystemPackage
import Testing
import TestSupport

@Suite(.timeLimit(.minutes(5)))
struct SnapshotStoreTests {
    private static let snapshot = RepoSnapshot(
        repo: CacheFixture.repo, commit: CacheFixture.commit, commitDateNanoseconds: 12_345)

    /// A repo of `directoryCount` directories with `fileCount` files each, and one file above.
    private func entries(directoryCount: Int, fileCount: Int) -> [TreeEntry] {
        let directories = (0..<directoryCount).flatMap { directory in
            [TreeEntry(path: "d\(directory)", kind: .directory(tree(directory)))]
                + (0..<fileCount).map { file in
                    TreeEntry(
                        path: "d\(directory)/f\(file)",
                        kind: .file(.git(BlobOID(hex: hex(file, 40))!), size: UInt64(file)))
                }
        }
        return directories + [
            TreeEntry(path: "README.md", kind: .file(.git(BlobOID(hex: hex(9, 40))!), size: 3))
        ]
    }

    private func tree(_ number: Int) -> TreeOID { TreeOID(hex: hex(number + 1000, 40))! }

    private func hex(_ number: Int, _ count: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: count - digits.count) + digits
    }

    private func list(
        _ cache: RepoCache, _ path: String = "", _ tree: TreeOID? = nil
    ) -> Result<DirectoryListing, CacheError> {
        let answer = Answer<Result<DirectoryListing, CacheError>>()
        cache.snapshots.listing(
            snapshot: Self.snapshot, path: path, treeOID: tree, priority: .demand
        ) { answer.give($0) }
        return answer.wait() ?? .failure(.closed)
    }

    private func resolve(
        _ cache: RepoCache, _ revision: Revision = .main
    ) -> Result<ResolvedSnapshot, CacheError>? {
        let answer = Answer<Result<ResolvedSnapshot, CacheError>>()
        cache.snapshots.snapshot(CacheFixture.repo, revision) { answer.give($0) }
        return answer.wait()
    }

    @Test func aSmallRepoIsListedByOneRequest() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        fixture.origin.add(
            Self.snapshot, revision: .main, entries: entries(directoryCount: 20, fileCount: 10))
        let cache = try fixture.open()
        #expect(
            cache.snapshots.cachedListing(snapshot: Self.snapshot, path: "", treeOID: nil) == nil)
        #expect(try list(cache).get().count == 21)
        for directory in 0..<20 {
            let path = "d\(directory)"
            #expect(try list(cache, path, tree(directory)).get().count == 10)
            let cached = cache.snapshots.cachedListing(
                snapshot: Self.snapshot, path: path, treeOID: tree(directory))
            #expect(cached?.index(of: "f3") != nil)
        }
        #expect(fixture.origin.counts.listings == 1)
        fixture.close(cache)

        fixture.origin.setOffline(true)
        let second = try fixture.open()
        #expect(try list(second).get().count == 21)
        #expect(try list(second, "d7", tree(7)).get().count == 10)
        #expect(fixture.origin.counts.listings == 1)
    }

    @Test func aLargeRepoIsListedByDirectoryAndAWalkAsOne() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        fixture.origin.add(
            Self.snapshot, revision: .main, entries: entries(directoryCount: 100, fileCount: 50))
        let cache = try fixture.open()
        #expect(try list(cache).get().count == 101)
        #expect(fixture.origin.counts.listings == 2)
        #expect(fixture.origin.counts.recursiveListings == 1)
        #expect(try list(cache, "d0", tree(0)).get().count == 50)
        #expect(fixture.origin.counts.listings == 3)
        for directory in 1..<8 { _ = list(cache, "d\(directory)", tree(directory)) }
        #expect(fixture.origin.counts.recursiveListings == 2)
        #expect(
            eventually {
                cache.snapshots.cachedListing(
                    snapshot: Self.snapshot, path: "d99", treeOID: tree(99)) != nil
            })
        let before = fixture.origin.counts.listings
        for directory in 0..<100 {
            #expect(try list(cache, "d\(directory)", tree(directory)).get().count == 50)
        }
        #expect(fixture.origin.counts.listings == before)
    }

    @Test func namesThatUnicodeHoldsEqualAreDifferentNames() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let file = TreeEntry.Kind.file(.git(BlobOID(hex: hex(1, 40))!), size: 1)
        let names = ["\u{e9}", "e\u{301}", "\u{301}"]
        let entries = names.enumerated().flatMap { number, name in
            [TreeEntry(path: name, kind: .directory(tree(number)))]
                + (0...number).map { TreeEntry(path: "\(name)/\u{301}\($0)", kind: file) }
        }
        fixture.origin.add(Self.snapshot, revision: .main, entries: entries)
        let cache = try fixture.open()
        #expect(try list(cache).get().count == 3)
        for (number, name) in names.enumerated() {
            #expect(try list(cache, name, tree(number)).get().count == number + 1)
        }
        #expect(fixture.origin.counts.listings == 1)
    }

    @Test func equalQuestionsAreOne() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        fixture.origin.add(
            Self.snapshot, revision: .main, entries: entries(directoryCount: 2, fileCount: 2))
        let cache = try fixture.open()
        let answers = (0..<50).map { _ in Answer<Result<DirectoryListing, CacheError>>() }
        for answer in answers {
            cache.snapshots.listing(
                snapshot: Self.snapshot, path: "", treeOID: nil, priority: .demand
            ) { answer.give($0) }
        }
        for answer in answers { #expect(try answer.wait()?.get().count == 3) }
        #expect(fixture.origin.counts.listings == 1)
    }

    @Test func aRefusedListingIsAskedForAgain() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        fixture.origin.add(
            Self.snapshot, revision: .main, entries: entries(directoryCount: 2, fileCount: 2))
        let cache = try fixture.open()
        fixture.origin.setOffline(true)
        guard case .failure(.hub(.offline)) = list(cache) else {
            Issue.record("the listing was answered offline")
            return
        }
        fixture.origin.setOffline(false)
        #expect(try list(cache).get().count == 3)
    }

    @Test func aRevisionIsRememberedForAStartWithoutTheHub() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        fixture.origin.add(Self.snapshot, revision: .main, entries: [])
        let cache = try fixture.open()
        let fresh = ResolvedSnapshot(snapshot: Self.snapshot, isStale: false)
        #expect(resolve(cache) == .success(fresh))
        fixture.close(cache)

        fixture.origin.setOffline(true)
        let second = try fixture.open()
        #expect(
            resolve(second) == .success(ResolvedSnapshot(snapshot: Self.snapshot, isStale: true)))
        let commit = Revision(CacheFixture.commit.hex)
        #expect(resolve(second, commit) == .success(fresh))
        #expect(fixture.origin.counts.resolves == 2)
        #expect(resolve(second, Revision("other")) == .failure(.hub(.offline)))
    }

    @Test func aHubIsNotAnsweredForByAnother() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        fixture.origin.add(Self.snapshot, revision: .main, entries: [])
        #expect(resolve(try fixture.open { $0.endpoint = "http://one" }) != nil)
        fixture.origin.setOffline(true)
        let other = try fixture.open { $0.endpoint = "http://other" }
        #expect(resolve(other) == .failure(.hub(.offline)))
        #expect(
            resolve(other, Revision(CacheFixture.commit.hex)) == .failure(.hub(.offline)))
        let same = try fixture.open { $0.endpoint = "http://one" }
        #expect(
            resolve(same) == .success(ResolvedSnapshot(snapshot: Self.snapshot, isStale: true)))
    }

    @Test func anAnswerThatIsRememberedIsNotWrittenAgain() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        fixture.origin.add(Self.snapshot, revision: .main, entries: [])
        let cache = try fixture.open()
        let log = fixture.folder.path.appending("cache.db-wal")
        func logBytes() throws -> Int { Int(try #require(try Folder.status(log)).st_size) }
        #expect(resolve(cache) != nil)
        let before = try logBytes()
        #expect(
            resolve(cache) == .success(ResolvedSnapshot(snapshot: Self.snapshot, isStale: false)))
        #expect(fixture.origin.counts.resolves == 2)
        #expect(try logBytes() == before)

        let moved = RepoSnapshot(
            repo: CacheFixture.repo, commit: CommitOID(hex: hex(7, 40))!,
            commitDateNanoseconds: 67_890)
        fixture.origin.add(moved, revision: .main, entries: [])
        #expect(
            resolve(cache) == .success(ResolvedSnapshot(snapshot: moved, isStale: false)))
        #expect(try logBytes() > before)
    }

    /// The Hub's answer is held back: it is not waited for, but taken when it comes.
    @Test func aHubThatDoesNotAnswerIsNotWaitedForWhenTheCommitIsRemembered() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        fixture.origin.add(Self.snapshot, revision: .main, entries: [])
        #expect(resolve(try fixture.open()) != nil)

        let moved = RepoSnapshot(
            repo: CacheFixture.repo, commit: CommitOID(hex: hex(7, 40))!,
            commitDateNanoseconds: 67_890)
        fixture.origin.add(moved, revision: .main, entries: [])
        fixture.origin.hold()
        let second = try fixture.open { $0.revisionPatienceSeconds = 0.05 }
        #expect(
            resolve(second) == .success(ResolvedSnapshot(snapshot: Self.snapshot, isStale: true)))
        #expect(fixture.origin.counts.resolves == 2)

        fixture.origin.release()
        fixture.origin.setOffline(true)
        let late = ResolvedSnapshot(snapshot: moved, isStale: true)
        #expect(eventually { resolve(second) == .success(late) })
    }

    @Test func aHubThatDoesNotAnswerIsWaitedForWhenNothingIsRemembered() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        fixture.origin.add(Self.snapshot, revision: .main, entries: [])
        fixture.origin.hold()
        let cache = try fixture.open { $0.revisionPatienceSeconds = 0 }
        let answer = Answer<Result<ResolvedSnapshot, CacheError>>()
        cache.snapshots.snapshot(CacheFixture.repo, .main) { answer.give($0) }
        #expect(eventually { fixture.origin.counts.resolves == 1 })
        // The timer of a patience of 0 s would run before this one.
        let later = Answer<Bool>()
        fixture.timers.schedule(afterSeconds: 0.01) { later.give(true) }
        #expect(later.wait() == true)
        #expect(answer.count == 0)
        fixture.origin.release()
        #expect(
            answer.wait() == .success(ResolvedSnapshot(snapshot: Self.snapshot, isStale: false)))
    }

    @Test func aRefusalIsNeverPaperedOver() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        guard case .failure(.hub(.revisionNotFound)) = resolve(cache, Revision("gone")) else {
            Issue.record("a missing revision was found")
            return
        }
    }
}
