import Foundation
import Testing
import XetCodec

@testable import LocalHub

/// What an edit has to know of the chunks it leaves alone.
struct ChunkHashesTests {
    /// A file of two xorbs, so that one term is outside of any window in the other.
    private static let first = XetUpload(XetWire.noise(1_500_000, seed: 8))
    private static let second = XetUpload(XetWire.noise(900_000, seed: 9))

    private struct Body: Decodable {
        struct Window: Decodable { let dirtyByteRange: [Int] }
        let totalChunks: Int
        let fileSize: Int
        let windows: [Window]
        let hashRanges: [MerkleSubtree?]
        let gapVerification: [String]
    }

    /// The terms follow each other although the file's own chunks would not: the store does not ask
    /// how it was cut.
    private static func file() -> ShardFile {
        let chunks = first.chunks + second.chunks
        return ShardFile(
            hash: XetHash(ofFileWithRoot: MerkleTree.root(chunks)),
            terms: first.file.terms + second.file.terms,
            proofs: first.file.proofs + second.file.proofs,
            sha256: XetUpload(first.content + second.content).file.sha256)
    }

    private static func with(
        _ body: (WireClient, String) async throws -> Void
    ) async throws {
        try await XetWire.with { hub, wire in
            let token = try await wire.token("write")
            for upload in [first, second] {
                _ = await wire.post(xorb: upload.xorb, as: upload.xorbHash, by: token)
            }
            let file = file()
            #expect(await wire.post(shard: Shard(files: [file]), by: token).status == 200)
            try await body(token, hub.endpoint + "/cas/v2/file-chunk-hashes/\(file.hash)")
        }
    }

    @Test func anEditedFileHasTheHashThatIsJoined() async throws {
        try await Self.with { token, url in
            let old = Self.first.content + Self.second.content
            let edit = 250_000..<250_400
            let answer = await token.get(url, headers: ["X-Range-Dirty": "bytes=250000-250399"])
            let body = try JSONDecoder().decode(Body.self, from: Data(answer.body))
            #expect(body.fileSize == old.count)
            #expect(body.totalChunks == Self.first.chunks.count + Self.second.chunks.count)
            #expect(body.windows.count == 1 && body.hashRanges.count == 2)
            let window = try #require(body.windows.first).dirtyByteRange
            #expect(window[0] <= edit.lowerBound && edit.upperBound < window[1])
            #expect(window[1] < Self.first.content.count)
            #expect(body.gapVerification == [Self.second.file.proofs[0].text])

            var new = old
            new.replaceSubrange(edit, with: [UInt8](repeating: 0xBB, count: edit.count))
            let within = Self.chunks(new[window[0]..<window[1]])
            let middle = MerkleSubtree(of: within, isAtStart: false, isAtEnd: false)
            let gaps = try body.hashRanges.map { try #require($0) }
            let root = try gaps[0].joined(with: middle).joined(with: gaps[1]).root()
            let whole = Self.chunks(new[..<Self.first.content.count]) + Self.second.chunks
            #expect(root == MerkleTree.root(whole))
        }
    }

    private static func chunks(_ bytes: some Sequence<UInt8>) -> [MerkleNode] {
        var hasher = FileHasher()
        Array(bytes).withUnsafeBytes { hasher.update($0) }
        _ = hasher.finish()
        return hasher.chunks
    }

    @Test func whatIsNoRangeIsRefused() async throws {
        try await Self.with { token, url in
            for bad in ["", "bytes=5", "bytes=9-5", "bytes=9000000-9000001"] {
                let answer = await token.get(url, headers: ["X-Range-Dirty": bad])
                #expect(answer.status == 400, "\(bad)")
            }
            #expect(await token.get(url).status == 400)
            let other = String(url.dropLast(64)) + String(repeating: "1", count: 64)
            let missing = await token.get(other, headers: ["X-Range-Dirty": "bytes=0-1"])
            #expect(missing.status == 404)
            let whole = await token.get(url, headers: ["X-Range-Dirty": "bytes=0-2399999"])
            let body = try JSONDecoder().decode(Body.self, from: Data(whole.body))
            #expect(body.windows.map(\.dirtyByteRange) == [[0, 2_400_000]])
            #expect(body.hashRanges.allSatisfy { $0 == nil } && body.gapVerification.isEmpty)
        }
    }

    @Test func windows() {
        func chunks(_ sizes: [Int]) -> [MerkleNode] {
            sizes.map { MerkleNode(.zero, byteCount: UInt64($0) * 1024) }
        }
        func windows(_ sizes: [Int], _ kibibytes: [Int]) -> [Range<Int>] {
            let ranges = kibibytes.map { ByteRange(first: $0 * 1024, last: $0 * 1024) }
            return DirtyWindows.windows(of: chunks(sizes), changing: ranges)
        }
        #expect(windows([20, 20, 20, 20, 20], [0]) == [0..<3])
        #expect(windows([20, 20, 20, 20, 20], [99]) == [4..<5])
        #expect(windows([20, 20, 10, 20, 128, 20, 20, 20], [0]) == [0..<7])
        // The second one begins where the first one would end.
        #expect(windows([20, 20, 20, 20, 20, 20, 20], [0, 60]) == [0..<6])
        #expect(windows([20, 20, 20, 20, 20, 20, 20], [0, 80]) == [0..<3, 4..<7])
        #expect(windows([20, 20, 20, 20], [0, 20]) == [0..<4])
        #expect(windows([20], []).isEmpty)
    }

    /// Chunks of the published sample's file that its window begins and ends with.
    @Test func theWindowOfTheSample() throws {
        var state: UInt64 = 7
        var bytes: [UInt8] = []
        bytes.reserveCapacity(10_485_760)
        while bytes.count < 10_485_760 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
            word ^= word >> 31
            withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
        }
        let chunks = Self.chunks(bytes)
        #expect(chunks.count == 170)
        let range = ByteRange(first: 5_000_000, last: 5_000_999)
        let window = try #require(
            DirtyWindows.windows(of: chunks, changing: [range]).first)
        let start = chunks[..<window.lowerBound].reduce(0) { $0 + $1.byteCount }
        let end = start + chunks[window].reduce(0) { $0 + $1.byteCount }
        #expect((start, end) == (4_935_390, 5_257_472))
    }
}
