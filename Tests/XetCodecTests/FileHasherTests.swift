import Crypto
import Testing
import XetCodec

@Suite struct FileHasherTests {
    /// The hashes of the files are the official program's.
    @Test func everyFileHasItsHash() throws {
        for row in try Vectors.rows("files.tsv") {
            let file = GeneratedFile(row)
            let bytes = file.bytes
            #expect(bytes.count == Int(row[3]), "\(file)")
            #expect(hex(SHA256.hash(data: bytes)) == row[5], "\(file) is generated wrong")
            var hasher = FileHasher()
            bytes.withUnsafeBytes { hasher.update($0) }
            #expect(hasher.finish().text == row[4], "\(file)")
            let chunks = hasher.chunks
            #expect(chunks.count == Int(row[6]), "\(file)")
            #expect(MerkleTree.root(chunks).text == row[7], "\(file)")
            guard let first = chunks.first, let last = chunks.last else { continue }
            #expect(XetHash(ofRange: chunks.map(\.hash)).text == row[8], "\(file)")
            #expect([first.hash.text, "\(first.byteCount)"] == [row[9], row[10]], "\(file)")
            #expect([last.hash.text, "\(last.byteCount)"] == [row[11], row[12]], "\(file)")
        }
    }

    private func hex(_ digest: SHA256.Digest) -> String {
        digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    @Test func everyChunkIsWhereItShouldBe() throws {
        let files = Dictionary(grouping: try Vectors.rows("chunks.tsv")) { $0[..<3] }
        #expect(files.count == 8)
        for (recipe, rows) in files {
            var hasher = FileHasher()
            GeneratedFile(Array(recipe)).bytes.withUnsafeBytes { hasher.update($0) }
            _ = hasher.finish()
            var start: UInt64 = 0
            let found = hasher.chunks.enumerated().map { index, chunk in
                defer { start += chunk.byteCount }
                return ["\(index)", "\(start)", "\(chunk.byteCount)", chunk.hash.text]
            }
            #expect(found == rows.map { Array($0[3...]) }, "\(recipe)")
        }
    }

    @Test(arguments: [1, 7, 63, 64, 4096, 8126, 8127, 8128, 8191, 8192, 131_071, 131_073])
    func howAFileIsCutIntoBuffersMakesNoDifference(pieceBytes: Int) {
        let bytes = GeneratedFile(["sm:7", "2000000", "-"]).bytes
        var whole = FileHasher()
        bytes.withUnsafeBytes { whole.update($0) }
        var pieces = FileHasher()
        bytes.withUnsafeBytes { buffer in
            for start in stride(from: 0, to: buffer.count, by: pieceBytes) {
                let end = min(start + pieceBytes, buffer.count)
                pieces.update(UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
            }
        }
        #expect(whole.finish() == pieces.finish())
        #expect(whole.chunks == pieces.chunks)
    }

    @Test func rootsOfGeneratedTrees() throws {
        for row in try Vectors.rows("trees.tsv") {
            let count = Int(row[0])!
            var random = SplitMix(state: UInt64(count))
            let leaves = (0..<count).map { _ in
                let words = (0..<4).map { _ in random.next().littleEndian }
                let hash = words.withUnsafeBytes { XetHash(bytes: $0) }
                return MerkleNode(hash, byteCount: random.next() % 131_072)
            }
            let root = MerkleTree.root(leaves)
            #expect(root.text == row[1], "\(count) leaves")
            #expect(XetHash(ofFileWithRoot: root).text == row[2], "\(count) leaves")
            #expect(XetHash(ofRange: leaves.map(\.hash)).text == row[3], "\(count) leaves")
        }
    }
}
