import HubClient
import Logging
import Platform
import SystemPackage
import Testing

@testable import WriteBack

/// The bytes of a file that was edited in a few places, as a commit takes them.
struct StagedBytesTests {
    private static let size: UInt64 = 3 << 20

    /// A base whose every byte tells where it is.
    private final class PatternBase: BaseSource {
        /// Called before each read.
        let onRead: @Sendable () -> Void

        init(onRead: @escaping @Sendable () -> Void = {}) { self.onRead = onRead }

        static func byte(_ offset: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: offset % 251) }

        func read(
            _ file: BaseFile, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
        ) throws(PublishError) {
            onRead()
            for index in buffer.indices { buffer[index] = Self.byte(offset + UInt64(index)) }
        }

        func listing(
            of path: String, at commit: CommitOID
        ) throws(PublishError) -> any BaseListing { throw .base("nobody lists") }

        func prepare(_ commit: CommitOID) throws(PublishError) {}

        func presentBytes(of file: BaseFile) -> UInt64 { file.size }
    }

    /// A file of that base, open for writing.
    private static func file(in scratch: ScratchWorkspace) throws -> WorkingFile {
        let view = try scratch.overlay.make(
            .file, EntryName("a"), in: .root, metadata: LocalMetadata())
        let file = try scratch.overlay.open(view.number, forWriting: true)
        file.adopt(
            BaseFile(
                commit: MemoryBase.commit("a"), path: "a", content: MemoryBase.content("a"),
                size: size), modifiedNanoseconds: 0)
        return file
    }

    private static func write(_ file: WorkingFile, _ bytes: [UInt8], at offset: Int) throws {
        try bytes.withUnsafeBytes { bytes -> Result<Void, WriteBackError> in
            Result { () throws(WriteBackError) in try file.write(bytes, at: UInt64(offset)) }
        }.get()
    }

    /// Edits of every kind, and what they make of the file.
    private static func edit(_ file: WorkingFile) throws -> [UInt8] {
        var expected = (0..<size).map { PatternBase.byte($0) }
        for (offset, count) in [(0, 3), (1_048_570, 100), (2_000_000, 70_000)] {
            let bytes = [UInt8](repeating: 255, count: count)
            try write(file, bytes, at: offset)
            expected.replaceSubrange(offset..<offset + count, with: bytes)
        }
        try file.zero(500_000..<600_000)
        expected.replaceSubrange(500_000..<600_000, with: [UInt8](repeating: 0, count: 100_000))
        // Cut and grown again: what was there is zeros.
        try file.truncate(to: 2_900_000)
        try file.truncate(to: 2_950_000)
        expected.removeLast(expected.count - 2_900_000)
        expected += [UInt8](repeating: 0, count: 50_000)
        return expected
    }

    @Test func bytesComeFromWhereTheyAre() throws {
        let scratch = try ScratchWorkspace()
        let file = try Self.file(in: scratch)
        defer { scratch.close(file) }
        let expected = try Self.edit(file)
        let frozen = file.freeze(leavesOpen: false)
        let sealed = try #require(frozen.sealed)
        let bytes = StagedBytes(sealed, over: frozen.base, from: PatternBase())
        #expect(bytes.size == 2_950_000 && !bytes.isWhole && bytes.base == frozen.base)
        #expect(try bytes.bytes(0..<bytes.size) == expected)
        for start in stride(from: UInt64(0), to: 2_900_000, by: 49_999) {
            let range = start..<start + 50_000
            #expect(try bytes.bytes(range) == Array(expected[Int(start)..<Int(start) + 50_000]))
        }
        let hash = try ContentHash(of: bytes, for: .store)
        try bytes.fill(checkStop: {})
        let whole = StagedBytes(sealed.store, size: bytes.size)
        #expect(try whole.bytes(0..<whole.size) == expected)
        #expect(try ContentHash(of: whole, for: .store).content(.lfs) == hash.content(.lfs))
        #expect(hash.content(.lfs) == (try ContentHash(of: whole, for: .repo)).content(.lfs))
        sealed.store.unpin()
    }

    /// Filled for the cache, it is known to be whole until the next edit, and no longer.
    @Test func anEditAfterwardsIsAnEditOfTheBase() throws {
        let scratch = try ScratchWorkspace()
        let file = try Self.file(in: scratch)
        defer { scratch.close(file) }
        var expected = try Self.edit(file)
        let frozen = file.freeze(leavesOpen: false)
        let sealed = try #require(frozen.sealed)
        try StagedBytes(sealed, over: frozen.base, from: PatternBase()).fill(checkStop: {})
        sealed.store.unpin()
        try file.unseal()
        let again = try #require(file.freeze(leavesOpen: false).sealed)
        #expect(again.isWhole && !again.shape.isWhole)
        again.store.unpin()
        try file.unseal()
        try file.truncate(to: 10)
        try file.truncate(to: 1_000)
        let edited = file.freeze(leavesOpen: false)
        let last = try #require(edited.sealed)
        #expect(!last.isWhole)
        expected = Array(expected[..<10]) + [UInt8](repeating: 0, count: 990)
        let bytes = StagedBytes(last, over: edited.base, from: PatternBase())
        #expect(try bytes.bytes(0..<1_000) == expected)
        last.store.unpin()
        try file.unseal()
    }

    /// Behind `stop` the file is edited on: nothing may be written over that.
    @Test func nothingIsWrittenOnceFillingHasStopped() throws {
        let scratch = try ScratchWorkspace()
        let file = try Self.file(in: scratch)
        defer { scratch.close(file) }
        try Self.write(file, [1], at: 0)
        let frozen = file.freeze(leavesOpen: false)
        let sealed = try #require(frozen.sealed)
        let reads = Monitor((count: 0, mayGoOn: false))
        let base = PatternBase {
            reads.update { $0.count += 1 }
            _ = reads.wait { $0.mayGoOn ? true : nil }
        }
        let filling = Filling(logger: Logger(label: "test"))
        filling.start([StagedBytes(sealed, over: frozen.base, from: base)])
        _ = reads.wait { $0.count > 0 ? true : nil }
        let stopper = Thread(name: "test-stop") { filling.stop() }
        reads.update { $0.mayGoOn = true }
        stopper.join()
        sealed.store.unpin()
        try file.unseal()
        try Self.write(file, [2, 2], at: 1_500_000)
        filling.finish()
        let edited = file.freeze(leavesOpen: false)
        let bytes = StagedBytes(try #require(edited.sealed), over: edited.base, from: PatternBase())
        #expect(try bytes.bytes(1_499_999..<1_500_002)[1...] == [2, 2])
        #expect(reads.update { $0.count } < 3)
        edited.sealed?.store.unpin()
        try file.unseal()
    }
}
