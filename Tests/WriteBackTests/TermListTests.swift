import Testing
import XetCodec

@testable import WriteBack

@Suite struct TermListTests {
    private static func hash(_ text: String) -> XetHash {
        Array(text.utf8).withUnsafeBytes { XetHash(ofChunk: $0) }
    }

    private static let stored = hash("a xorb that the store has")
    private static let new = hash("a new xorb")

    private func place(_ number: UInt32) -> TermList.ChunkSource {
        .stored(ChunkPlace(xorb: Self.stored, number: number))
    }

    @Test func chunksThatFollowEachOtherAreOneTerm() {
        var list = TermList()
        for number in [4, 5, 6] as [UInt32] { list.append(place(number), byteCount: 10) }
        list.append(.new(xorb: 0, number: 0), byteCount: 7)
        list.append(.new(xorb: 0, number: 1), byteCount: 8)
        #expect(!list.continues(with: place(7)))
        list.append(place(7), byteCount: 10)
        #expect(list.continues(with: place(8)))
        let chunks = ["a", "b", "c", "d", "e", "f"].map { MerkleNode(Self.hash($0), byteCount: 1) }
        let file = list.file(
            chunks, hash: .zero, xorbs: [Self.new], sha256: [UInt8](repeating: 1, count: 32))
        #expect(
            file.terms == [
                XetTerm(xorb: Self.stored, byteCount: 30, chunks: 4..<7),
                XetTerm(xorb: Self.new, byteCount: 15, chunks: 0..<2),
                XetTerm(xorb: Self.stored, byteCount: 10, chunks: 7..<8),
            ])
        // Each proof is of its own term's chunks.
        #expect(
            file.proofs == [
                XetHash(ofRange: chunks[0..<3].map(\.hash)),
                XetHash(ofRange: chunks[3..<5].map(\.hash)),
                XetHash(ofRange: chunks[5..<6].map(\.hash)),
            ])
    }

    @Test func aTermStaysBelowSixtyFourMebibytes() {
        var list = TermList()
        for number in 0..<1000 as Range<UInt32> {
            list.append(place(number), byteCount: 128 << 10)
        }
        #expect(list.terms.map(\.byteCount) == [64 << 20, 61 << 20])
        #expect(list.terms[1].place == place(512))
    }

    @Test func shortRunsAreNotTakenWhereTheFileIsInPieces() {
        var list = TermList()
        for number in 0..<127 as Range<UInt32> { list.append(place(number * 2), byteCount: 1) }
        #expect(list.isWorthwhile(runCount: 1))
        list.append(place(1000), byteCount: 1)
        #expect(!list.isWorthwhile(runCount: 3))
        #expect(list.isWorthwhile(runCount: 4))
        // 128 terms with 512 chunks are no pieces.
        for number in 1001..<1385 as Range<UInt32> { list.append(place(number), byteCount: 1) }
        #expect(list.terms.count == 128)
        #expect(list.isWorthwhile(runCount: 1))
    }
}
