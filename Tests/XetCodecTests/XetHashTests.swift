import CXet
import Testing
import XetCodec

@Suite struct XetHashTests {
    static let text = "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"

    @Test func aTextHasEachEightBytesReversed() throws {
        let hash = Array<UInt8>(0..<32).withUnsafeBytes { XetHash(bytes: $0) }
        #expect(hash.text == Self.text)
        #expect(XetHash(text: Self.text) == hash)
        #expect(XetHash(text: Self.text.uppercased()) == hash)
        #expect(hash.bytes == Array(0..<32))
    }

    @Test(arguments: ["", "0", text + "0", String(text.dropLast()) + "g", String(text.dropLast())])
    func nothingElseIsAText(text: String) { #expect(XetHash(text: text) == nil) }

    @Test func hashesAreInTheOrderOfTheirTexts() {
        var random = SplitMix(state: 3)
        let hashes = (0..<100).map { _ in
            XetHash(text: (0..<4).map { _ in hex(random.next()) }.joined())!
        }
        #expect(hashes.sorted().map(\.text) == hashes.map(\.text).sorted())
    }

    private func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    @Test func aChunk() {
        let hash = Array("Hello World!".utf8).withUnsafeBytes { XetHash(ofChunk: $0) }
        #expect(hash.text == "d8d408e608fb9ca213b9909a65d86d725f2de4d8d540324be8a363e7a6e228cb")
    }

    @Test func aNodeAndARange() throws {
        let chunks = [
            MerkleNode(
                try hash("c28f58387a60d4aa200c311cda7c7f77f686614864f5869eadebf765d0a14a69"),
                byteCount: 100),
            MerkleNode(
                try hash("6e4e3263e073ce2c0e78cc770c361e2778db3b054b98ab65e277fc084fa70f22"),
                byteCount: 200),
        ]
        #expect(
            MerkleTree.root(chunks).text
                == "be64c7003ccd3cf4357364750e04c9592b3c36705dee76a71590c011766b6c14")
        #expect(
            XetHash(ofRange: chunks.map(\.hash)).text
                == "eb06a8ad81d588ac05d1d9a079232d9c1e7d0b07232fa58091caa7bf333a2768")
    }

    private func hash(_ text: String) throws -> XetHash { try #require(XetHash(text: text)) }

    @Test func aHashIsKeyedUnlessTheKeyIsZero() throws {
        let hash = try hash(Self.text)
        #expect(hash.keyed(.zero) == hash)
        #expect(hash.keyed(hash) != hash)
    }

    /// Around the ends of blocks, leaves, groups of lanes and subtrees.
    @Test func everyWidthOfVectorGivesTheSameHash() {
        let sizes = [
            0, 1, 63, 64, 65, 1023, 1024, 1025, 2048, 3073, 4096, 8192, 9000, 16384, 17409, 31744,
            65536, 130_049, 131_072, 131_073, 133_120, 262_145, 400_000, 1 << 20,
        ]
        let bytes = GeneratedFile(["sm:9", "1048576", "-"]).bytes
        func hashes(lanes: Int32) -> [String] {
            hubfs_blake3_limit_lanes(lanes)
            return sizes.map { size in
                bytes.prefix(size).withUnsafeBytes { XetHash(ofChunk: $0).text }
            }
        }
        defer { hubfs_blake3_limit_lanes(16) }
        let one = hashes(lanes: 1)
        for lanes: Int32 in [4, 8, 16] { #expect(hashes(lanes: lanes) == one) }
    }
}
