import FoundationEssentials
import Testing
import XetCodec

@testable import WriteBack

/// What a store says of the chunks beside an edit, and what cannot be used of it.
struct ChunkGapsTests {
    private static func tree(_ byteCount: UInt64, start: Bool = false, end: Bool = false) throws
        -> String
    {
        let node = MerkleNode(XetHash(ofRange: [.zero]), byteCount: byteCount)
        let tree = MerkleSubtree(of: [node], isAtStart: start, isAtEnd: end)
        return String(decoding: try JSONEncoder().encode(tree), as: UTF8.self)
    }

    private static func gaps(
        size: UInt64 = 100, windows: String, trees: [String], proofs: String = ""
    ) -> ChunkGaps? {
        let answer = """
            {"totalChunks":3,"fileSize":100,"windows":[\(windows)],\
            "hashRanges":[\(trees.joined(separator: ","))],"gapVerification":[\(proofs)]}
            """
        return ChunkGaps(Array(answer.utf8), fileSize: size)
    }

    @Test func anAnswerThatFits() throws {
        let proof = XetHash(ofRange: [])
        let gaps = try #require(
            Self.gaps(
                windows: #"{"dirtyByteRange":[10,40]},{"dirtyByteRange":[60,100]}"#,
                trees: [Self.tree(10, start: true), Self.tree(20), "null"],
                proofs: "\"\(proof.text)\""))
        #expect(gaps.windows == [10..<40, 60..<100])
        #expect(gaps.trees.map { $0?.byteCount } == [10, 20, nil])
        #expect(gaps.proofs == [proof])
    }

    @Test func answersThatDoNotFit() throws {
        let (first, last) = (try Self.tree(10, start: true), try Self.tree(60, end: true))
        let window = #"{"dirtyByteRange":[10,40]}"#
        #expect(Self.gaps(windows: window, trees: [first, last]) != nil)
        // Another file.
        #expect(Self.gaps(size: 101, windows: window, trees: [first, last]) == nil)
        // Trees of other bytes, or not as many as gaps.
        #expect(Self.gaps(windows: window, trees: [last, first]) == nil)
        #expect(Self.gaps(windows: window, trees: [first]) == nil)
        #expect(Self.gaps(windows: window, trees: [first, "null"]) == nil)
        // Windows that are none.
        for bad in ["[40,10]", "[10]", "[10,101]", "[10,40,50]", "[-1,40]"] {
            #expect(
                Self.gaps(windows: #"{"dirtyByteRange":\#(bad)}"#, trees: [first, last]) == nil)
        }
        let two = #"{"dirtyByteRange":[10,40]},{"dirtyByteRange":[30,50]}"#
        #expect(Self.gaps(windows: two, trees: [first, "null", try Self.tree(50)]) == nil)
        #expect(Self.gaps(windows: window, trees: [first, last], proofs: #""no hash""#) == nil)
        for bad in ["", "{}", "[]", "{\"fileSize\":100}"] {
            #expect(ChunkGaps(Array(bad.utf8), fileSize: 100) == nil)
        }
    }
}
