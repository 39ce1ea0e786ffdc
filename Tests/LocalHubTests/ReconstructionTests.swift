import Foundation
import Testing
import XetCodec

@testable import LocalHub

/// What a range of a file needs: every range of a small file, against the bytes themselves.
struct ReconstructionTests {
    /// Chunks of 1 to 4 bytes in two xorbs; xorb 0 is "abbcccdddd", xorb 1 is "eeff".
    private static let contents = [["a", "bb", "ccc", "dddd"], ["ee", "ff"]]
    private static let xorbs = contents.map { chunks in
        chunks.map { chunk in
            MerkleNode(
                Array(chunk.utf8).withUnsafeBytes { XetHash(ofChunk: $0) },
                byteCount: UInt64(chunk.utf8.count))
        }
    }
    private static let names = xorbs.map { MerkleTree.root($0) }

    private static func term(_ xorb: Int, _ chunks: Range<UInt32>) -> XetTerm {
        let bytes = contents[xorb][Int(chunks.lowerBound)..<Int(chunks.upperBound)].joined()
        return XetTerm(xorb: names[xorb], byteCount: UInt32(bytes.utf8.count), chunks: chunks)
    }

    /// The same xorb twice, overlapping, with another between.
    private static let file = XetFile(
        hash: .zero, terms: [term(0, 0..<3), term(1, 0..<2), term(0, 2..<4)])
    private static let text = Array("abbccceeffcccdddd".utf8)

    private static func plan(_ range: Range<Int>) throws -> Reconstruction {
        try Reconstruction(of: file, range) { hash in
            let number = names.firstIndex(of: hash)
            return number.map { number in
                var end: UInt32 = 0
                let ends = xorbs[number].map { chunk in
                    end += UInt32(chunk.byteCount) + 8
                    return end
                }
                return XorbIndex(chunks: xorbs[number], ends: ends)
            }
        }
    }

    @Test func everyRange() throws {
        for start in Self.text.indices {
            for end in start + 1...Self.text.count {
                let plan = try Self.plan(start..<end)
                var bytes: [UInt8] = []
                for term in plan.terms {
                    let number = try #require(Self.names.firstIndex(of: term.xorb))
                    let chunks = Self.contents[number][term.chunks]
                    #expect(chunks.map(\.utf8.count) == term.byteCounts)
                    bytes += chunks.joined().utf8
                    let holder = plan.fetches.first { $0.xorb == term.xorb }
                    let holding = holder?.fetches.filter { fetch in
                        fetch.chunks.lowerBound <= term.chunks.lowerBound
                            && term.chunks.upperBound <= fetch.chunks.upperBound
                    }
                    #expect(holding?.count == 1, "\(start)..<\(end)")
                }
                let first = try #require(plan.terms.first?.byteCounts.first)
                let last = try #require(plan.terms.last?.byteCounts.last)
                #expect(plan.offset < first, "no chunk too many before \(start)..<\(end)")
                #expect(bytes.count - plan.offset - (end - start) < last, "nor behind it")
                let wanted = bytes.dropFirst(plan.offset).prefix(end - start)
                #expect(wanted.elementsEqual(Self.text[start..<end]), "\(start)..<\(end)")
            }
        }
    }

    @Test func rangesOfAXorbAreFetchedTogether() throws {
        let plan = try Self.plan(0..<Self.text.count)
        #expect(plan.fetches.map(\.xorb) == Self.names)
        #expect(plan.fetches[0].fetches.map(\.chunks) == [0..<4])
        #expect(plan.fetches[0].fetches.map(\.bytes) == [ByteRange(first: 0, last: 41)])
        #expect(plan.fetches[1].fetches.map(\.bytes) == [ByteRange(first: 0, last: 19)])
        // Without chunk 2 the two ends of the xorb do not touch.
        let merged = Reconstruction.merged([3..<4, 0..<1, 1..<2])
        #expect(merged == [0..<2, 3..<4])
    }

    @Test func lists() {
        #expect(ByteRange.list("bytes=0-4") == [ByteRange(first: 0, last: 4)])
        let two = [ByteRange(first: 0, last: 4), ByteRange(first: 9, last: 9)]
        #expect(ByteRange.list("bytes=0-4, 9-9") == two)
        #expect(ByteRange.list(ByteRange.text(two)) == two)
        for bad in [
            "bytes=", "bytes=4-", "bytes=-4", "bytes=5-4", "0-4", "bytes=0-4,", "bytes=a-b",
        ] {
            #expect(ByteRange.list(bad) == nil, "\(bad)")
        }
    }
}
