import Crypto
import HubClient
import Platform
import SystemPackage
import TestSupport
import Testing
import XetCodec

@testable import WriteBack

/// What a commit writes down and finds out about itself.
@Suite struct CommitPlanTests {
    private static let commit = CommitOID(hex: String(repeating: "a", count: 40))!
    private static let blob = ContentID.git(BlobOID(hex: String(repeating: "b", count: 40))!)
    private static let object = ContentID.lfs(LFSOID(hex: String(repeating: "c", count: 64))!)

    /// Names that a field's end could be mistaken in, and some that are not UTF-8 or not one letter
    /// a byte.
    @Test(arguments: ["a", " a  b ", "a/b c", "\u{301}x", "e\u{301}", "-", "a\nb", "\"q\""])
    func aPlanIsReadAsItWasWritten(path: String) throws {
        var settlement = Settlement()
        settlement.files = [
            Settlement.File(number: 7, path: path, content: Self.object, size: 12)
        ]
        let name = EntryName([0xff, 0x20, 0x0a] + Array(path.utf8.filter { $0 != 0x2f }))
        settlement.directories = [
            Settlement.Directory(
                number: 1, path: path, redirect: nil,
                detached: BaseDirectory(commit: Self.commit, path: path),
                whiteouts: [Settlement.Name(name: name)],
                children: [Settlement.Child(number: 9, name: name)])
        ]
        let plan = CommitPlan(
            base: Self.commit, parent: Self.commit, title: "t", opensPullRequest: false,
            puts: [CommitPlan.Put(path: path, content: Self.blob)], deletedFiles: [path],
            deletedDirectories: [], settlement: settlement, isPart: false)
        let read = try #require(CommitPlan(encoded: try plan.encoded()))
        #expect(read.puts.map { Array($0.path.utf8) } == [Array(path.utf8)])
        #expect(read.puts.map(\.content) == [Self.blob])
        let file = try #require(read.settlement.files.first)
        #expect(Array(file.path.utf8) == Array(path.utf8))
        #expect((file.number, file.size) == (7, 12))
        #expect(file.content == Self.object)
        let directory = try #require(read.settlement.directories.first)
        #expect(directory.whiteouts.map(\.name) == [name])
        #expect(directory.children.map(\.name) == [name])
        #expect(directory.children.map(\.number) == [9])
    }

    /// An encoder holds what it is given several times over.
    @Test(arguments: [0, 1, CommitPlan.pieceItemCountMax, 3 * CommitPlan.pieceItemCountMax + 1])
    func aPlanIsWrittenInPieces(count: Int) throws {
        var settlement = Settlement()
        settlement.files = (0..<UInt64(count)).map {
            Settlement.File(number: $0, path: "f\($0)", content: Self.object, size: $0)
        }
        let plan = CommitPlan(
            base: Self.commit, parent: Self.commit, title: "t\nu", opensPullRequest: false,
            puts: (0..<count).map { CommitPlan.Put(path: "f\($0)", content: Self.blob) },
            deletedFiles: [], deletedDirectories: [], settlement: settlement, isPart: true)
        let text = try plan.encoded()
        let pieces = text.utf8.count { $0 == UInt8(ascii: "\n") }
        let most = CommitPlan.pieceItemCountMax
        #expect(pieces == 2 + 2 * ((count + most - 1) / most))
        let read = try #require(CommitPlan(encoded: text))
        #expect(read.isPart)
        #expect(read.puts.map(\.path) == (0..<count).map { "f\($0)" })
        #expect(read.settlement.files.map(\.number) == (0..<UInt64(count)).map { $0 })
        // Cut off between two pieces.
        let lines = text.split(separator: "\n")
        for kept in 0..<lines.count {
            let cut = lines[..<kept].map { $0 + "\n" }.joined()
            #expect(CommitPlan(encoded: cut) == nil)
        }
    }

    @Test(arguments: [nil, 0, -5, 1_700_000_000_123_000_000])
    func aDateComesBackWithItsPath(date: Int64?) throws {
        let put = CommitPlan.Put(path: "a @ 5", content: Self.blob, modifiedNanoseconds: date)
        let read = try #require(CommitPlan.Put(line: put.line))
        #expect(read.path == put.path && read.content == put.content)
        #expect(read.modifiedNanoseconds == date)
    }

    @Test(arguments: [
        "", "x", "123", "bb c", "@5 path", "\(String(repeating: "b", count: 40))@x path",
        "\(String(repeating: "b", count: 40))@1@2 path",
    ])
    func aLineThatIsNoneIsNoPlan(line: String) {
        #expect(CommitPlan.Put(line: line) == nil)
        #expect(Settlement.File(line: line) == nil)
        #expect(Settlement.Child(line: line) == nil)
    }

    /// Below and above the size from which on two threads hash.
    @Test(arguments: [0, 1, 4096, (1 << 20) + 1, 8 << 20, (9 << 20) + 5])
    func hashesAreThoseOfTheBytes(size: Int) throws {
        let scratch = ScratchFolder()
        defer { scratch.remove() }
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        let store = StagingFile(1, in: scratch.path)
        try store.use { (file) throws(Errno) in
            // What lies beyond the size is not the file's.
            try (bytes + [1, 2, 3]).withUnsafeBytes { bytes -> Result<Void, Errno> in
                Result { () throws(Errno) in try file.writeWhole(bytes, at: 0) }
            }.get()
        }
        let hash = try ContentHash(of: StagedBytes(store, size: UInt64(size)), for: .repo)
        #expect(
            hash.content(.lfs) == LFSOID(bytes: Array(SHA256.hash(data: bytes))).map { .lfs($0) })
        let blob = Array("blob \(size)\0".utf8) + bytes
        #expect(
            hash.content(.regular)
                == BlobOID(bytes: Array(Insecure.SHA1.hash(data: blob))).map { .git($0) })
    }

    /// Below and above the size from which on a file is cut while it is hashed, also by several threads.
    @Test(arguments: [0, 5, (9 << 20) + 5, 40 << 20])
    func aFileForTheStoreIsCutOnTheWay(size: Int) throws {
        let scratch = ScratchFolder()
        defer { scratch.remove() }
        var state: UInt64 = 7
        let bytes = (0..<size).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        let store = StagingFile(1, in: scratch.path)
        try store.use { (file) throws(Errno) in
            try bytes.withUnsafeBytes { bytes -> Result<Void, Errno> in
                Result { () throws(Errno) in try file.writeWhole(bytes, at: 0) }
            }.get()
        }
        let hash = try ContentHash(of: StagedBytes(store, size: UInt64(size)), for: .store)
        let plain = try ContentHash(of: StagedBytes(store, size: UInt64(size)), for: .repo)
        #expect(hash.content(.lfs) == plain.content(.lfs))
        var hasher = FileHasher()
        bytes.withUnsafeBytes { hasher.update($0) }
        let name = hasher.finish()
        if let chunks = hash.chunks { #expect(chunks == hasher.chunks) }
        #expect((hash.chunks != nil) == (size >= 8 << 20))
        // Whatever it was wanted for, git's name can be had.
        let named = try hash.withGitName(of: StagedBytes(store, size: UInt64(size)))
        #expect(named.content(.regular) == plain.content(.regular))
        #expect(named.isNamed(plain.content(.regular)) && named.isNamed(plain.content(.lfs)))
        let inBucket = try ContentHash(of: StagedBytes(store, size: UInt64(size)), for: .bucket)
        #expect(inBucket.content(nil) == .xet(XetOID(hex: name.text)!))
    }

    @Test func aFileThatEndsEarlyHasNoHash() throws {
        let scratch = ScratchFolder()
        defer { scratch.remove() }
        let store = StagingFile(1, in: scratch.path)
        try store.use { (file) throws(Errno) in try file.truncate(to: 9 << 20) }
        #expect(throws: PublishError.self) {
            try ContentHash(of: StagedBytes(store, size: 10 << 20), for: .repo)
        }
    }

    @Test func aHashIsKeptUntilTheNextEdit() throws {
        let scratch = try ScratchWorkspace()
        let file = try scratch.makeFile("a", "one")
        defer { scratch.close(file) }
        let first = try #require(file.freeze(leavesOpen: false).sealed)
        file.keep(try ContentHash(of: StagedBytes(first.store, size: 3), for: .repo), of: first)
        first.store.unpin()
        try file.unseal()
        let again = try #require(file.freeze(leavesOpen: false).sealed)
        #expect(again.hash != nil)
        again.store.unpin()
        try file.unseal()
        try file.write("two")
        let edited = try #require(file.freeze(leavesOpen: false).sealed)
        #expect(edited.hash == nil)
        edited.store.unpin()
        try file.unseal()
    }

    @Test func anEditAboveASealedLayerTakesItsHash() throws {
        let scratch = try ScratchWorkspace()
        let file = try scratch.makeFile("a", "one")
        defer { scratch.close(file) }
        let first = try #require(file.freeze(leavesOpen: false).sealed)
        try file.write("two")
        file.keep(try ContentHash(of: StagedBytes(first.store, size: 3), for: .repo), of: first)
        first.store.unpin()
        try file.unseal()
        let merged = try #require(file.freeze(leavesOpen: false).sealed)
        #expect(merged.hash == nil)
        merged.store.unpin()
        try file.unseal()
    }
}
