import Crypto
import Testing
import XetCodec

@Suite struct ShardTests {
    private func read(_ bytes: some Collection<UInt8>) throws -> Shard {
        try Array(bytes).withUnsafeBytes { try Shard(reading: $0) }
    }

    /// Files and one xorb with all their chunks, as the upload should have them.
    private func expected() -> Shard {
        var all: [MerkleNode] = []
        var parts: [(hash: XetHash, chunks: Range<Int>, digest: [UInt8])] = []
        for recipe in Samples.uploaded {
            let bytes = GeneratedFile(recipe).bytes
            var hasher = FileHasher()
            bytes.withUnsafeBytes { hasher.update($0) }
            let hash = hasher.finish()
            let start = all.count
            all += hasher.chunks
            parts.append((hash, start..<all.count, Array(SHA256.hash(data: bytes))))
        }
        let root = MerkleTree.root(all)
        var start: UInt32 = 0
        let chunks = all.map { chunk in
            defer { start += UInt32(chunk.byteCount) }
            return ShardChunk(
                hash: chunk.hash, start: start, byteCount: UInt32(chunk.byteCount))
        }
        let files = parts.map { part in
            let chunks = all[part.chunks]
            let term = XetTerm(
                xorb: root, byteCount: UInt32(chunks.reduce(0) { $0 + $1.byteCount }),
                chunks: UInt32(part.chunks.lowerBound)..<UInt32(part.chunks.upperBound))
            return ShardFile(
                hash: part.hash, terms: [term], proofs: [XetHash(ofRange: chunks.map(\.hash))],
                sha256: part.digest)
        }
        return Shard(
            files: files, xorbs: [ShardXorb(hash: root, chunks: chunks, byteCount: start)])
    }

    @Test func anUploadIsThatOfTheOfficialProgram() throws {
        #expect(expected().uploaded == (try Samples.bytes("shard-upload.bin")))
    }

    @Test func anUploadIsReadAsItWasWritten() throws {
        let bytes = try Samples.bytes("shard-upload.bin")
        let shard = try read(bytes)
        #expect(Set(shard.files) == Set(expected().files))
        #expect(shard.xorbs == expected().xorbs)
        #expect(shard.uploaded == bytes)
        #expect(shard.key == .zero && shard.expirySeconds == nil)
    }

    @Test func anAnswerNamesChunksByItsKey() throws {
        let shard = try read(try Samples.bytes("shard-global-dedup.bin"))
        #expect(shard.key.bytes == [UInt8](repeating: 7, count: 32))
        let expiry = try #require(shard.expirySeconds)
        #expect(expiry > 1_795_000_000 && expiry < 1_797_000_000)
        let chunks = try #require(expected().xorbs.first).chunks
        let named = try #require(shard.xorbs.first).chunks
        #expect(named.map(\.hash) == chunks.map { $0.hash.keyed(shard.key) })
    }

    @Test func answersAreAsTheSample() throws {
        let sample = try Samples.bytes("shard-global-dedup.bin")
        let answered = try read(sample).answered(createdSeconds: 1_795_228_304)
        #expect(answered.elementsEqual(sample))
    }

    @Test func aFileOfABucketHasNoDigest() throws {
        var shard = expected()
        shard.files = shard.files.map {
            ShardFile(hash: $0.hash, terms: $0.terms, proofs: [], sha256: nil)
        }
        let again = try read(shard.uploaded)
        #expect(Set(again.files) == Set(shard.files))
    }

    @Test(arguments: ["shard-upload.bin", "shard-global-dedup.bin"])
    func aShardThatIsCutIsAnError(name: String) throws {
        let bytes = try Samples.bytes(name)
        for count in 0..<bytes.count {
            #expect(throws: XetFormatError.self, "\(count)") { try read(bytes.prefix(count)) }
        }
    }

    /// Some are shards still, the others are errors; none ends the process.
    @Test(arguments: ["shard-upload.bin", "shard-global-dedup.bin"])
    func anyBytesCanBeRead(name: String) throws {
        let sound = try Samples.bytes(name)
        var random = SplitMix(state: 11)
        var errorCount = 0
        for _ in 0..<20_000 {
            var bytes = sound
            for _ in 0...Int(random.next() % 4) {
                let place = Int(random.next() % UInt64(bytes.count))
                // Numbers and marks more than hashes: those are what is followed.
                let isNumber = random.next() % 2 == 0
                bytes[isNumber ? min(place / 48 * 48 + 32 + place % 16, bytes.count - 1) : place] =
                    UInt8(
                        truncatingIfNeeded: random.next() % 3 == 0 ? 0xFF : random.next())
            }
            do { _ = try read(bytes) } catch is XetFormatError { errorCount += 1 }
        }
        #expect(errorCount > 1000)
    }
}
