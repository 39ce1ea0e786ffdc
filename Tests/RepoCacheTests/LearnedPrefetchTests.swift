import HubClient
import Platform
import SystemPackage
import Testing
import TestSupport

@testable import RepoCache

/// Mounts of one commit after the other, over an origin that counts.
@Suite(.timeLimit(.minutes(5)))
struct LearnedPrefetchTests {
    /// A commit with small files in two directories and a large one.
    private final class Repo {
        static let smallBytes = 3000
        static let largeBytes = 40 << 20
        let fixture = CacheFixture()
        let small: [ContentLocation]
        let large: ContentLocation
        let snapshot = RepoSnapshot(
            repo: CacheFixture.repo, commit: CacheFixture.commit, commitDateNanoseconds: 0)

        init() {
            let fixture = self.fixture
            // In no order of names: siblings foresee nothing here.
            small = (0..<40).map { number in
                fixture.add(
                    git: sampleBytes(Self.smallBytes, seed: UInt64(number + 1)),
                    path: "\(number % 2 == 0 ? "a" : "b/c")/\(100 + number * 13 % 40).json")
            }
            large = fixture.add(lfs: sampleBytes(Self.largeBytes), path: "model.bin")
            add(snapshot.commit, small + [large])
        }

        func add(_ commit: CommitOID, _ files: [ContentLocation]) {
            let snapshot = RepoSnapshot(
                repo: CacheFixture.repo, commit: commit, commitDateNanoseconds: 0)
            fixture.origin.add(
                snapshot, revision: Revision(commit.hex),
                entries: [
                    directory("a", digit: "a"), directory("b", digit: "b"),
                    directory("b/c", digit: "d"),
                ]
                    + files.map { TreeEntry(path: $0.path, kind: .file($0.content, size: $0.size)) }
            )
        }

        private func directory(_ path: String, digit: String) -> TreeEntry {
            TreeEntry(
                path: path,
                kind: .directory(TreeOID(hex: String(repeating: digit, count: 40))!))
        }

        /// Opens a cache whose contents were lost, and begins to learn.
        func mount(
            _ learning: Learning = Learning(), at commit: CommitOID? = nil, below path: String = "",
            limit: UInt64? = nil, reserving bytes: UInt64 = 0
        ) throws -> RepoCache {
            forgetContents()
            let cache = try fixture.open { $0.sizeLimitBytes = limit }
            if bytes > 0 { #expect(cache.contents.services.ledger.reserve(bytes)) }
            let snapshot = RepoSnapshot(
                repo: snapshot.repo, commit: commit ?? snapshot.commit, commitDateNanoseconds: 0)
            let listed = Answer<Bool>()
            cache.snapshots.listing(
                snapshot: snapshot, path: path, treeOID: nil, priority: .demand
            ) { _ in listed.give(true) }
            _ = listed.wait()
            cache.learned.begin(snapshot, below: path, learning)
            return cache
        }

        private func forgetContents() {
            for name in ["small.db", "small.db-wal", "small.db-shm"] {
                _ = try? Folder.unlink(fixture.folder.path.appending(name))
            }
            let contents = fixture.folder.path.appending("contents")
            for shard in (try? Folder.names(in: contents)) ?? [] {
                let shard = contents.appending(shard)
                for name in (try? Folder.names(in: shard)) ?? [] {
                    _ = try? Folder.unlink(shard.appending(name))
                }
            }
        }

        func read(_ file: ContentLocation, in cache: RepoCache, upTo end: Int? = nil) throws {
            let content = try cache.contents.open(file)
            defer { content.close() }
            for offset in stride(from: 0, to: end ?? Int(file.size), by: 128 << 10) {
                let count = min(128 << 10, Int(file.size) - offset)
                #expect(try content.readWaiting(UInt64(offset), count).get().count == count)
            }
        }

        /// The usual load: small files, then a part of the large one.
        func load(in cache: RepoCache) throws {
            for file in small { try read(file, in: cache) }
            try read(large, in: cache, upTo: 24 << 20)
        }

        /// The large file from its beginning to its end.
        var orderOfLarge: ReadOrder {
            var order = ReadOrder(repo: snapshot.repo, commit: snapshot.commit)
            let file = ReadOrder.File(path: large.path, content: large.content, size: large.size)
            _ = order.add(0..<file.size, of: file)
            return order
        }

        /// Contents of which at least so much is here.
        func presentBytes(_ cache: RepoCache) -> UInt64 {
            (small + [large]).reduce(0) {
                $0 + cache.contents.presentBytes(of: $1.content, size: $1.size)
            }
        }
    }

    private static let loadBytes = UInt64(40 * Repo.smallBytes + 24 << 20)

    @Test("the second cold mount fetches ahead in the order of the first, and nothing else")
    func second() throws {
        let repo = Repo()
        defer { repo.fixture.end() }
        let first = try repo.mount()
        try repo.load(in: first)
        repo.fixture.close(first)
        let before = repo.fixture.origin.counts
        #expect(before.fetches - before.prefetches >= 40)

        let second = try repo.mount()
        try repo.read(repo.small[0], in: second)
        // One range found allows 1 MiB: all that is small, and the large file not yet.
        let smallBytes = UInt64(40 * Repo.smallBytes)
        #expect(eventually { repo.presentBytes(second) == smallBytes })
        for file in repo.small { try repo.read(file, in: second) }
        // It is not read at all before it is here.
        #expect(eventually { repo.presentBytes(second) >= smallBytes + 24 << 20 })
        try repo.read(repo.large, in: second, upTo: 24 << 20)
        let counts = repo.fixture.origin.counts
        #expect(
            (counts.fetches - counts.prefetches) - (before.fetches - before.prefetches) == 1)
    }

    @Test("who reads something else has nothing fetched ahead")
    func other() throws {
        let repo = Repo()
        defer { repo.fixture.end() }
        let first = try repo.mount()
        try repo.load(in: first)
        repo.fixture.close(first)
        let before = repo.fixture.origin.counts.bytesAsked

        let second = try repo.mount()
        try repo.read(repo.small[35], in: second)
        try repo.read(repo.small[20], in: second)
        let pause = Answer<Bool>()
        _ = pause.wait(seconds: 0.2)
        #expect(repo.fixture.origin.counts.bytesAsked - before == UInt64(2 * Repo.smallBytes))
    }

    @Test(
        "nothing is fetched ahead where that is not wanted, and the order is learned all the same")
    func unwanted() throws {
        let repo = Repo()
        defer { repo.fixture.end() }
        for _ in 0..<2 {
            let cache = try repo.mount(Learning(replay: .none))
            for file in repo.small { try repo.read(file, in: cache) }
            repo.fixture.close(cache)
        }
        let counts = repo.fixture.origin.counts
        #expect(counts.fetches == 80 && counts.prefetches == 0)
        let cache = try repo.mount()
        try repo.read(repo.small[0], in: cache)
        #expect(eventually { repo.presentBytes(cache) == UInt64(40 * Repo.smallBytes) })
    }

    @Test("an order that was given is fetched at once, and one that is recorded is it again")
    func given() throws {
        let repo = Repo()
        defer { repo.fixture.end() }
        let path = repo.fixture.folder.path.appending("order.jsonl")
        let first = try repo.mount(Learning(recordPath: path))
        try repo.load(in: first)
        repo.fixture.close(first)
        let order = try ReadOrder(text: try text(of: path))
        #expect(order.files.count == 41 && order.byteCount == Self.loadBytes)

        let before = repo.fixture.origin.counts
        let second = try repo.mount(Learning(replay: .given(order), recordPath: path))
        #expect(eventually { repo.presentBytes(second) >= Self.loadBytes })
        #expect(repo.fixture.origin.counts.bytesAsked - before.bytesAsked == Self.loadBytes)
        try repo.load(in: second)
        let counts = repo.fixture.origin.counts
        #expect(counts.fetches - before.fetches == counts.prefetches - before.prefetches)
        repo.fixture.close(second)
        #expect(try ReadOrder(text: try text(of: path)) == order)
    }

    private func text(of path: FilePath) throws -> [UInt8] {
        let file = try FileDescriptor.open(path, .readOnly)
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = try bytes.withUnsafeMutableBytes { try file.readWhole(into: $0, at: 0) }
        return Array(bytes.prefix(count))
    }

    @Test("of another commit that is fetched which is the same there at the same path")
    func otherCommit() throws {
        let repo = Repo()
        defer { repo.fixture.end() }
        let first = try repo.mount()
        for file in repo.small { try repo.read(file, in: first) }
        repo.fixture.close(first)

        let next = CommitOID(hex: String(repeating: "e", count: 40))!
        // Ten files have the bytes of their neighbours.
        let moved = repo.small.enumerated().map { index, file in
            let source = index >= 30 ? repo.small[index ^ 1] : file
            return ContentLocation(
                repo: file.repo, commit: next, path: file.path, content: source.content,
                size: source.size)
        }
        repo.add(next, moved)
        let second = try repo.mount(at: next)
        try repo.read(moved[0], in: second)
        #expect(eventually { repo.presentBytes(second) == UInt64(30 * Repo.smallBytes) })
        let pause = Answer<Bool>()
        _ = pause.wait(seconds: 0.2)
        #expect(repo.presentBytes(second) == UInt64(30 * Repo.smallBytes))
    }

    @Test("a mount of a directory has only what is in it")
    func directory() throws {
        let repo = Repo()
        defer { repo.fixture.end() }
        let first = try repo.mount()
        for file in repo.small { try repo.read(file, in: first) }
        repo.fixture.close(first)
        let second = try repo.mount(below: "b")
        try repo.read(repo.small[1], in: second)
        #expect(eventually { repo.presentBytes(second) == UInt64(20 * Repo.smallBytes) })
    }

    @Test("no more than half of what the cache may hold is ahead of the reader")
    func bounded() throws {
        let repo = Repo()
        defer { repo.fixture.end() }
        let cache = try repo.mount(Learning(replay: .given(repo.orderOfLarge)), limit: 48 << 20)
        #expect(eventually { repo.presentBytes(cache) == 24 << 20 })
        let pause = Answer<Bool>()
        _ = pause.wait(seconds: 0.2)
        #expect(repo.fixture.origin.counts.bytesAsked == 24 << 20)
        // Who reads makes room for more. He stays: with him would go what his stream has under way.
        let content = try cache.contents.open(repo.large)
        defer { content.close() }
        for offset in stride(from: 0, to: 8 << 20, by: 128 << 10) {
            #expect(try content.readWaiting(UInt64(offset), 128 << 10).get().count == 128 << 10)
        }
        #expect(eventually { repo.presentBytes(cache) >= 32 << 20 })
    }

    @Test("what had no room is fetched when there is some, though nothing is read meanwhile")
    func roomLater() throws {
        let repo = Repo()
        defer { repo.fixture.end() }
        let taken: UInt64 = 38 << 20
        let cache = try repo.mount(
            Learning(replay: .given(repo.orderOfLarge)), limit: 48 << 20, reserving: taken)
        let pause = Answer<Bool>()
        _ = pause.wait(seconds: 0.2)
        #expect(repo.fixture.origin.counts.fetches == 0)
        // Nothing of it was written: the next count finds that it is free.
        cache.contents.services.ledger.settle(taken)
        #expect(eventually(seconds: 30) { repo.presentBytes(cache) == 24 << 20 })
    }

    @Test("orders of many commits are kept, and of more the oldest ones are not")
    func kept() throws {
        let repo = Repo()
        defer { repo.fixture.end() }
        let database = try CacheDatabase(in: CacheFolder(repo.fixture.folder.path))
        func commit(_ number: Int) -> CommitOID {
            let digits = String(number, radix: 16)
            return CommitOID(hex: String(repeating: "0", count: 40 - digits.count) + digits)!
        }
        let count = CacheDatabase.readOrderCountMax + 3
        for number in 1...count {
            var order = ReadOrder(repo: repo.snapshot.repo, commit: commit(number))
            _ = order.add(
                0..<10, of: ReadOrder.File(path: "x", content: repo.large.content, size: 10))
            try database.store(order, at: Int64(number))
        }
        func known(_ number: Int) throws -> CommitOID? {
            try database.readOrder(repo.snapshot.repo, near: commit(number))?.commit
        }
        #expect(try known(4) == commit(4))
        // The newest one stands in.
        #expect(try known(3) == commit(count))
        #expect(
            try database.readOrder(RepoID(kind: .dataset, name: "org/model"), near: commit(4))
                == nil)
    }
}
