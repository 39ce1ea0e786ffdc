import HubClient
import Testing

@testable import RepoCache

/// Which files are fetched ahead, for tables of orders in which programs open files.
@Suite struct SiblingDetectorTests {
    /// A directory whose files have these sizes; nil is a directory in it. Names are in order.
    private func directory(_ path: String = "data", sizes: [UInt64?]) throws -> ListedDirectory {
        let entries = sizes.enumerated().map { index, size in
            var digits = String(index)
            digits = String(repeating: "0", count: 5 - digits.count) + digits
            return TreeEntry(
                path: "\(path)/\(digits)",
                kind: size.map { .file(Self.content(path, index), size: $0) }
                    ?? .directory(TreeOID(bytes: Self.digest(path, index))!))
        }
        return ListedDirectory(
            repo: CacheFixture.repo, commit: CacheFixture.commit, path: path,
            listing: try #require(DirectoryListing(entries)))
    }

    private static func digest(_ path: String, _ index: Int) -> [UInt8] {
        var bytes = Array(path.utf8.suffix(12))
        bytes += [UInt8](repeating: 0, count: 16 - bytes.count)
        return bytes + (0..<4).map { UInt8(truncatingIfNeeded: index >> (8 * $0)) }
    }

    private static func content(_ path: String, _ index: Int) -> ContentID {
        .git(BlobOID(bytes: digest(path, index))!)
    }

    /// Runs a detector as its owner does.
    private struct Program {
        var detector = SiblingDetector()
        /// Places fetched ahead, as "path/name".
        var fetched: [String] = []
        /// What is here: neither missing for a reader nor fetched.
        var present: Set<String> = []
        var following: [String: ListedDirectory] = [:]

        mutating func open(_ index: Int, of directory: ListedDirectory) {
            let path = directory.file(at: index)!.path
            _ = detector.opened(index, of: directory)
            if present.insert(path).inserted {
                detector.missed(directory.content(at: index)!)
            }
            while let step = detector.next() {
                switch step {
                case .fetch(let file, let run):
                    let isNew = present.insert(file.path).inserted
                    if isNew { fetched.append(file.path) }
                    detector.fetched(run, wasHere: !isNew)
                case .find(let directory, let run):
                    detector.goOn(run, in: following[directory.path])
                }
            }
        }
    }

    @Test(
        "as many are fetched ahead as the order deserves",
        arguments: [
            // One file says nothing.
            ([0], 0), ([500], 0),
            ([0, 1], 8), ([500, 501], 8), ([0, 1, 2], 17), ([0, 1, 2, 3], 34),
            // Backwards and scattered.
            ([9, 8, 7, 6, 5], 0), ([0, 10, 20, 30, 40], 0), ([5, 900, 17, 300, 44, 700], 0),
            // The same file again and again.
            ([3, 3, 3, 3], 0), ([3, 4, 4, 4, 4], 8),
            // A gap alone is no order, two are.
            ([0, 2], 0), ([0, 2, 4], 16), ([0, 4, 8], 16), ([0, 5, 10], 0),
            // Readers that take turns at it.
            ([0, 100, 1, 101], 16), ([1, 0, 3, 2, 5, 4], 64),
        ] as [([Int], Int)])
    func window(order: [Int], countMax: Int) throws {
        let directory = try directory(sizes: Array(repeating: 1000, count: 1000))
        var program = Program()
        for index in order { program.open(index, of: directory) }
        #expect(program.fetched.count <= countMax)
        if countMax > 0 { #expect(program.fetched.count >= countMax / 4) }
    }

    @Test("nothing is fetched for a random order")
    func randomOrder() throws {
        let directory = try directory(sizes: Array(repeating: 1000, count: 10_000))
        var random = SplitMix(state: 7)
        var program = Program()
        for _ in 0..<300 { program.open(Int.random(in: 0..<10_000, using: &random), of: directory) }
        #expect(program.fetched.isEmpty)
    }

    @Test("a whole directory in order waits for two files and fetches each once")
    func wholeDirectory() throws {
        let directory = try directory(sizes: Array(repeating: 1000, count: 1000))
        var program = Program()
        for index in 0..<1000 {
            let unforeseen = !program.present.contains(directory.file(at: index)!.path)
            #expect(unforeseen == (index < 2))
            program.open(index, of: directory)
        }
        #expect(program.fetched.count == 998)
    }

    @Test("the window is bounded in files and in bytes, and by what was read")
    func bounds() throws {
        let policy = SiblingPolicy()
        for opened in 0..<400 {
            let window = policy.windowCount(openedCount: opened)
            #expect(window <= policy.windowCountMax)
            #expect(window <= max(policy.trustedCount, 2 * opened))
        }
        let directory = try directory(sizes: Array(repeating: 1 << 20, count: 1000))
        var program = Program()
        for index in 0..<100 { program.open(index, of: directory) }
        #expect(program.fetched.count <= 100 + Int(policy.windowBytesMax >> 20))
    }

    @Test("large and empty files and directories between small ones neither count nor end an order")
    func mixedSizes() throws {
        let sizes = (0..<200).map { index -> UInt64? in
            index % 4 == 0 ? nil : index % 4 == 1 ? 0 : index % 4 == 2 ? 1 << 30 : 1000
        }
        let directory = try directory(sizes: sizes)
        var program = Program()
        for index in stride(from: 3, to: 23, by: 4) {
            program.open(index, of: directory)
            program.open(index - 1, of: directory)
        }
        #expect(program.fetched.count > 8)
        let fetchedSizes = program.fetched.map { sizes[Int($0.suffix(5))!] }
        #expect(fetchedSizes.allSatisfy { $0 == 1000 })
    }

    @Test("a run goes on in the next directory")
    func nextDirectory() throws {
        let first = try directory("a", sizes: Array(repeating: 1000, count: 10))
        let second = try directory("b", sizes: Array(repeating: 1000, count: 300))
        var program = Program()
        program.following = ["a": second]
        for index in 0..<10 { program.open(index, of: first) }
        #expect(program.fetched.contains("b/00000"))
        for index in 0..<300 {
            #expect(program.present.contains("b/\(String(index + 100_000).dropFirst())"))
            program.open(index, of: second)
        }
        #expect(program.fetched.count == 8 + 300)
    }

    @Test("who walks through empty directories is not followed for ever")
    func emptyDirectories() throws {
        let first = try directory("a", sizes: [1000, 1000])
        let empty = try directory("b", sizes: [])
        var program = Program()
        program.following = ["a": empty, "b": empty]
        program.open(0, of: first)
        program.open(1, of: first)
        #expect(program.fetched.isEmpty)
    }

    @Test("nothing is looked for in a directory that is here, until a file is missing")
    func presentDirectory() throws {
        let directory = try directory(sizes: Array(repeating: 1000, count: 2000))
        var program = Program()
        program.present = Set((0..<1000).map { directory.file(at: $0)!.path })
        for index in 0..<1000 {
            program.open(index, of: directory)
            #expect(program.fetched.isEmpty)
        }
        program.open(1000, of: directory)
        #expect(!program.fetched.isEmpty)
    }

    @Test("a run that finds its files here falls asleep")
    func fallsAsleep() throws {
        let directory = try directory(sizes: Array(repeating: 1000, count: 2000))
        var program = Program()
        program.present = Set((2..<1000).map { directory.file(at: $0)!.path })
        for index in 0..<900 { program.open(index, of: directory) }
        #expect(program.fetched.isEmpty)
    }

    @Test("only so many runs are watched")
    func manyRuns() throws {
        let directory = try directory(sizes: Array(repeating: 1000, count: 10_000))
        var program = Program()
        for index in 0..<SiblingDetector.runCountMax + 1 {
            program.open(index * 100, of: directory)
        }
        // The first one was forgotten, the last one was not.
        program.open(1, of: directory)
        #expect(program.fetched.isEmpty)
        program.open(SiblingDetector.runCountMax * 100 + 1, of: directory)
        #expect(program.fetched.count == 8)
    }
}
