import HubClient
import Platform
import TestSupport
import Testing
import XetCodec

@testable import RepoCache

/// Which chunks contents have, from their bytes and the terms that name them.
@Suite struct ChunkIndexTests {
    /// The chunks of some bytes, as if each xorb had so many of them.
    private static func chunks(_ bytes: [UInt8]) -> [MerkleNode] {
        var hasher = FileHasher()
        bytes.withUnsafeBytes { hasher.update($0) }
        _ = hasher.finish()
        return hasher.chunks
    }

    private static func xorb(_ number: Int) -> XetHash {
        XetHash(text: String(repeating: String(number), count: 64))!
    }

    private static func term(_ xorb: Int, _ first: Int, _ chunks: ArraySlice<MerkleNode>) -> XetTerm
    {
        XetTerm(
            xorb: Self.xorb(xorb), byteCount: UInt32(chunks.reduce(0) { $0 + $1.byteCount }),
            chunks: UInt32(first)..<UInt32(first + chunks.count))
    }

    @Test func aFileIsFoundWhereItsTermsAre() throws {
        let chunks = Self.chunks(sampleBytes(3_000_000))
        let terms = [Self.term(1, 5, chunks[..<20]), Self.term(2, 0, chunks[20...])]
        let runs = try #require(ChunkIndex.runs(of: chunks, terms, "aa"))
        #expect(runs.map(\.first) == [5, 0])
        for run in runs {
            let again = ChunkRun(
                xorb: run.xorb, first: run.first, hex: run.hex, start: run.start, bytes: run.bytes)
            #expect(again == run)
        }
        let shared = SharedSearch(runs).shared(terms)
        #expect(shared.map(\.start) == shared.map(\.sourceStart))
        #expect(shared.flatMap(\.hashes) == chunks.map(\.hash))
        #expect(shared.last?.bytes.upperBound == 3_000_000)
        // Other terms than those of the file.
        #expect(ChunkIndex.runs(of: chunks, [terms[0]], "aa") == nil)
        #expect(ChunkIndex.runs(of: chunks, [terms[1], terms[0]], "aa") == nil)
    }

    /// A second file: some chunks of the first, in another order, with new ones between them.
    @Test func partsOfTermsAreFoundFromBothEnds() throws {
        let chunks = Self.chunks(sampleBytes(3_000_000))
        let runs = try #require(ChunkIndex.runs(of: chunks, [Self.term(1, 0, chunks[...])], "aa"))
        let sum = { (range: Range<Int>) in chunks[range].reduce(0) { $0 + $1.byteCount } }
        let terms = [
            Self.term(1, 10, chunks[10..<15]), Self.term(3, 0, chunks[0..<2]),
            Self.term(1, 3, chunks[3..<4]),
        ]
        let shared = SharedSearch(runs).shared(terms)
        #expect(shared.map(\.start) == [0, sum(10..<15) + sum(0..<2)])
        #expect(shared.map(\.sourceStart) == [sum(0..<10), sum(0..<3)])
        #expect(shared.map(\.hashes) == [chunks[10..<15].map(\.hash), [chunks[3].hash]])
        // Of chunks 0..<20 this content has all but 8..<10: what is behind them is known by the end.
        let parts = [
            ChunkRun(xorb: Self.xorb(1), first: 0, hex: "bb", start: 0, chunks: chunks[..<8]),
            ChunkRun(xorb: Self.xorb(1), first: 10, hex: "bb", start: 70, chunks: chunks[10..<30]),
        ]
        let found = SharedSearch(parts).shared([Self.term(1, 0, chunks[..<20])])
        #expect(found.map(\.start) == [0, sum(0..<10)])
        #expect(found.map(\.bytes.upperBound) == [sum(0..<8), sum(0..<20)])
        // A term of another length than its chunks have.
        let lying = XetTerm(xorb: Self.xorb(1), byteCount: UInt32(sum(0..<8)) + 1, chunks: 0..<8)
        #expect(SharedSearch(parts).shared([lying]).isEmpty)
    }

    @Test func rowsAreKeptForgottenAndReplaced() throws {
        let fixture = CacheFixture()
        defer { fixture.end() }
        let cache = try fixture.open()
        let database = try CacheDatabase(in: CacheFolder(fixture.folder.path))
        defer { database.file.close() }
        #expect(try !database.knowsChunks())
        let chunks = Self.chunks(sampleBytes(2_000_000))
        let runs = try #require(ChunkIndex.runs(of: chunks, [Self.term(1, 0, chunks[...])], "aa"))
        try database.store(runs, of: "aa", at: 1)
        #expect(try database.knowsChunks() && database.knowsChunks(of: "aa"))
        #expect(try !database.knowsChunks(of: "bb"))
        #expect(try database.chunkRuns(of: [Self.xorb(1), Self.xorb(2)]) == runs)
        #expect(try database.chunkRuns(of: [Self.xorb(2)]).isEmpty)
        try database.forgetChunks(of: "aa")
        #expect(try !database.knowsChunks() && database.chunkRuns(of: [Self.xorb(1)]).isEmpty)
        fixture.close(cache)
    }

    @Test func rowsThatCannotBeAreNotRead() {
        let chunks = Self.chunks(sampleBytes(300_000))
        let run = ChunkRun(xorb: .zero, first: 0, hex: "aa", start: 0, chunks: chunks)
        for bytes in [[], Array(run.bytes.dropLast()), [UInt8](repeating: 0, count: 36)] {
            #expect(ChunkRun(xorb: .zero, first: 0, hex: "aa", start: 0, bytes: bytes) == nil)
        }
    }
}
