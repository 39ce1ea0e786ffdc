import Testing
import XetCodec

@Suite struct XorbTests {
    private func unpacked(_ xorb: [UInt8]) throws -> [(packing: ChunkPacking, bytes: [UInt8])] {
        try xorb.withUnsafeBytes { xorb in
            var reader = XorbReader(xorb)
            var chunks: [(ChunkPacking, [UInt8])] = []
            while let chunk = try reader.next() {
                var bytes = [UInt8](repeating: 0xEE, count: chunk.byteCount)
                try bytes.withUnsafeMutableBytes { try reader.unpack(chunk, into: $0) }
                chunks.append((chunk.packing, bytes))
            }
            return chunks
        }
    }

    private func packed(_ files: [[UInt8]]) -> XorbWriter {
        var writer = XorbWriter()
        for bytes in files {
            writer.beginFile()
            var hasher = FileHasher()
            bytes.withUnsafeBytes { hasher.update($0) }
            _ = hasher.finish()
            var start = 0
            for chunk in hasher.chunks {
                let end = start + Int(chunk.byteCount)
                let isTaken = bytes[start..<end].withUnsafeBytes {
                    writer.append($0, hash: chunk.hash)
                }
                precondition(isTaken, "the xorb is full")
                start = end
            }
        }
        return writer
    }

    /// As the official program packed them, and as we do: each in the way that it chose as well.
    @Test(arguments: ["xorb-upload.bin", "xorb-with-footer.bin"])
    func theOfficialProgramsXorbIsRead(name: String) throws {
        let files = Samples.uploaded.map { GeneratedFile($0).bytes }
        let chunks = try unpacked(try Samples.bytes(name))
        #expect(chunks.count == 13)
        #expect(chunks.flatMap(\.bytes) == files.flatMap { $0 })
        let ours = packed(files)
        #expect(
            ours.hash.text == "83192359f2d70296cc8728f62642505672abd4449ca5a318353ef524e262c7d3")
        #expect(try unpacked(ours.bytes).map(\.packing) == chunks.map(\.packing))
        #expect(Set(chunks.map(\.packing)) == [.stored, .lz4, .groupedLZ4])
    }

    @Test(arguments: [
        ["sm:3", "3000000", "-"], ["f32:4", "3000000", "-"], ["ctr", "3000001", "-"],
        ["text", "3000002", "-"], ["zero", "3000003", "-"], ["mod251", "10", "-"],
        ["ff", "1", "-"],
    ])
    func whatIsPackedIsUnpacked(recipe: [String]) throws {
        let bytes = GeneratedFile(recipe).bytes
        let writer = packed([bytes])
        #expect(try unpacked(writer.bytes).flatMap(\.bytes) == bytes)
        #expect(writer.unpackedByteCount == bytes.count)
        #expect(writer.bytes.count <= bytes.count + 8 * writer.chunks.count)
    }

    @Test func aXorbTakesNoMoreThanItsLimits() {
        let chunk = GeneratedFile(["sm:5", "131072", "-"]).bytes
        var large = XorbWriter()
        var count = 0
        while chunk.withUnsafeBytes({ large.append($0, hash: .zero) }) { count += 1 }
        // Random bytes are stored with 8 bytes more for each chunk.
        #expect(count == 511 && large.bytes.count <= XorbWriter.byteCountMax)
        var many = XorbWriter()
        for _ in 0..<8192 { #expect([1].withUnsafeBytes { many.append($0, hash: .zero) }) }
        let before = many.bytes
        #expect([1].withUnsafeBytes { !many.append($0, hash: .zero) })
        #expect(many.bytes == before)
    }

    @Test func aXorbThatIsCutIsAnErrorOrEndsWithAChunk() throws {
        let bytes = try Samples.bytes("xorb-upload.bin")
        let ends = try chunkEnds(bytes)
        for count in stride(from: 0, to: bytes.count, by: 61) where !ends.contains(count) {
            #expect(throws: XetFormatError.self, "\(count)") {
                try unpacked(Array(bytes.prefix(count)))
            }
        }
    }

    private func chunkEnds(_ bytes: [UInt8]) throws -> Set<Int> {
        try bytes.withUnsafeBytes { bytes in
            var reader = XorbReader(bytes)
            var ends: Set = [0]
            while let chunk = try reader.next() {
                ends.insert(
                    bytes.baseAddress!.distance(to: chunk.bytes.baseAddress!) + chunk.bytes.count)
            }
            return ends
        }
    }

    /// Some can be unpacked to other bytes, which the hashes would tell; none ends the process.
    @Test func anyBytesCanBeRead() throws {
        let sound = try Samples.bytes("xorb-with-footer.bin")
        var random = SplitMix(state: 12)
        var errorCount = 0
        let heads = try chunkEnds(sound).filter { $0 + 8 < sound.count }.sorted()
        for turn in 0..<3000 {
            var bytes = sound
            for _ in 0...random.next() % 3 {
                let head = heads[Int(random.next() % UInt64(heads.count))]
                // The head, the frame's head, or anything.
                let range: UInt64 = turn % 3 == 0 ? 8 : turn % 3 == 1 ? 24 : 8000
                let place = min(head + Int(random.next() % range), bytes.count - 1)
                bytes[place] = UInt8(truncatingIfNeeded: random.next())
            }
            do { _ = try unpacked(bytes) } catch is XetFormatError { errorCount += 1 }
        }
        #expect(errorCount > 500)
    }
}
