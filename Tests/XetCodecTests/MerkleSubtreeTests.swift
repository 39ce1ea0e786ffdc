import FoundationEssentials
import Testing
import XetCodec

@Suite struct MerkleSubtreeTests {
    /// What a server would answer about an edit, and the hash that the official program gives the edited
    /// file.
    private struct DeltaSample: Decodable {
        struct Window: Decodable { let dirtyByteRange: [UInt64] }
        struct Response: Decodable {
            let totalChunks: Int
            let windows: [Window]
            let hashRanges: [MerkleSubtree]
        }
        let original_file_hash: String
        let new_file_hash: String
        let response: Response
    }

    @Test func anEditOfWhichOnlyTheMiddleIsKnown() throws {
        let sample = try JSONDecoder().decode(
            DeltaSample.self, from: Data(Samples.bytes("file-chunk-hashes.json")))
        let window = sample.response.windows[0].dirtyByteRange
        let old = chunks(of: ["sm:7", "10485760", "-"])
        #expect(old.hash.text == sample.original_file_hash)
        #expect(old.chunks.count == sample.response.totalChunks)

        // The trees beside the window, as the server would make them.
        let (before, rest) = cut(old.chunks, at: window[0])
        let (within, behind) = cut(rest, at: window[1] - window[0])
        let gaps = sample.response.hashRanges
        #expect(MerkleSubtree(of: before, isAtStart: true, isAtEnd: false) == gaps[0])
        #expect(MerkleSubtree(of: behind, isAtStart: false, isAtEnd: true) == gaps[1])

        func root(around window: [MerkleNode]) throws -> XetHash {
            let middle = MerkleSubtree(of: window, isAtStart: false, isAtEnd: false)
            let root = try gaps[0].joined(with: middle).joined(with: gaps[1]).root()
            return XetHash(ofFileWithRoot: root)
        }
        #expect(try root(around: within) == old.hash)
        var hasher = FileHasher()
        let edited = GeneratedFile(["sm:7", "10485760", "set 5000000 1000 187"]).bytes
        edited[Int(window[0])..<Int(window[1])].withUnsafeBytes { hasher.update($0) }
        _ = hasher.finish()
        #expect(try root(around: hasher.chunks).text == sample.new_file_hash)
    }

    private func chunks(of recipe: [String]) -> (hash: XetHash, chunks: [MerkleNode]) {
        var hasher = FileHasher()
        GeneratedFile(recipe).bytes.withUnsafeBytes { hasher.update($0) }
        return (hasher.finish(), hasher.chunks)
    }

    private func cut(
        _ chunks: [MerkleNode], at byteCount: UInt64
    ) -> (before: [MerkleNode], behind: [MerkleNode]) {
        var (index, sum) = (0, UInt64(0))
        while sum < byteCount {
            sum += chunks[index].byteCount
            index += 1
        }
        #expect(sum == byteCount)
        return (Array(chunks[..<index]), Array(chunks[index...]))
    }

    /// Leaves of which one in four may end a group, as of real hashes, or one in so many.
    private func leaves(_ count: Int, from random: inout SplitMix, cutsEvery spacing: UInt64)
        -> [MerkleNode]
    {
        (0..<count).map { _ in
            var words = (0..<4).map { _ in random.next() }
            words[3] = words[3] & ~3 | (random.next() % spacing == 0 ? 0 : 1)
            let hash = words.map(\.littleEndian).withUnsafeBytes { XetHash(bytes: $0) }
            return MerkleNode(hash, byteCount: 1 + random.next() % 131_072)
        }
    }

    /// However a file is cut into parts, and in whichever order they are joined, the root is that of all
    /// its chunks; and the tree on the way is the one that the joined chunks have.
    @Test(arguments: [1, 2, 4, 7, 40] as [UInt64])
    func partsJoinToTheWhole(spacing: UInt64) throws {
        var random = SplitMix(state: spacing)
        for round in 0..<120 {
            let count = Int(random.next() % (round % 3 == 0 ? 12 : 700))
            let chunks = leaves(count, from: &random, cutsEvery: spacing)
            let borders = (0..<random.next() % 6).map { _ in Int(random.next() % UInt64(count + 1))
            }
            let places = ([0] + borders + [count]).sorted()
            var parts = zip(places, places.dropFirst()).enumerated().map { index, range in
                MerkleSubtree(
                    of: Array(chunks[range.0..<range.1]), isAtStart: index == 0,
                    isAtEnd: index == places.count - 2)
            }
            while parts.count > 1 {
                let index = Int(random.next() % UInt64(parts.count - 1))
                parts[index] = try parts[index].joined(with: parts.remove(at: index + 1))
            }
            let whole = MerkleSubtree(of: chunks, isAtStart: true, isAtEnd: true)
            #expect(parts[0] == whole, "round \(round): \(count) at \(places)")
            #expect(try whole.root() == MerkleTree.root(chunks), "round \(round): \(count)")
            #expect(whole.byteCount == chunks.reduce(0) { $0 + $1.byteCount })
        }
    }

    @Test func theTreeOfALongMiddleIsSmall() throws {
        var random = SplitMix(state: 5)
        let chunks = leaves(20_000, from: &random, cutsEvery: 4)
        let middle = MerkleSubtree(of: chunks, isAtStart: false, isAtEnd: false)
        let encoded = try JSONEncoder().encode(middle)
        // Twenty thousand hashes would be 1.8 MB.
        #expect(encoded.count < 100_000)
        #expect(try JSONDecoder().decode(MerkleSubtree.self, from: encoded) == middle)
    }

    @Test func whatDoesNotFitIsRefused() throws {
        var random = SplitMix(state: 9)
        func tree(_ count: Int, isAtStart: Bool, isAtEnd: Bool) -> MerkleSubtree {
            MerkleSubtree(
                of: leaves(count, from: &random, cutsEvery: 4), isAtStart: isAtStart,
                isAtEnd: isAtEnd)
        }
        let (first, last) = (
            tree(50, isAtStart: true, isAtEnd: false), tree(50, isAtStart: false, isAtEnd: true)
        )
        #expect(throws: XetFormatError.self) { try first.root() }
        #expect(throws: XetFormatError.self) { try last.joined(with: first) }
        #expect(throws: XetFormatError.self) { try first.joined(with: first) }
        #expect(try first.joined(with: last).root() != .zero)
    }

    @Test(arguments: [
        #"{"nodes":[],"levels":[[1,0]],"at_start":true,"at_end":true}"#,
        #"{"nodes":[NODE],"levels":[[0,0]],"at_start":true,"at_end":true}"#,
        #"{"nodes":[NODE],"levels":[[2,-1]],"at_start":true,"at_end":true}"#,
        #"{"nodes":[NODE],"levels":[[1]],"at_start":true,"at_end":true}"#,
        #"{"nodes":[NODE],"levels":[[1,0]],"at_start":true}"#,
        #"{"nodes":[NODE],"levels":[[9223372036854775807,1]],"at_start":true,"at_end":true}"#,
        #"{"nodes":[{"hash":"00","size":1}],"levels":[[1,0]],"at_start":true,"at_end":true}"#,
        #"{"nodes":[HUGE,HUGE],"levels":[[2,0]],"at_start":true,"at_end":true}"#,
    ])
    func aTreeThatCannotBeIsNotRead(text: String) {
        let hash = String(repeating: "1", count: 64)
        let json =
            text
            .replacingOccurrences("NODE", #"{"hash":"\#(hash)","size":5}"#)
            .replacingOccurrences("HUGE", #"{"hash":"\#(hash)","size":9223372036854775807}"#)
        #expect(throws: (any Error).self) {
            try JSONDecoder().decode(MerkleSubtree.self, from: Data(json.utf8))
        }
    }

    /// Parts that are no tree of anything join to an error or to something, and end.
    @Test func partsOfNothingAreSurvived() throws {
        var random = SplitMix(state: 77)
        for _ in 0..<300 {
            func made(isAtStart: Bool, isAtEnd: Bool) throws -> MerkleSubtree {
                let counts = (0..<random.next() % 5).map { _ in
                    [Int(random.next() % 6), Int(random.next() % 6)]
                }
                let nodes = leaves(
                    counts.joined().reduce(0, +), from: &random, cutsEvery: 1 + random.next() % 4)
                let list = nodes.map { #"{"hash":"\#($0.hash)","size":\#($0.byteCount)}"# }
                let json = """
                    {"nodes":[\(list.joined(separator: ","))],"levels":\(counts),
                    "at_start":\(isAtStart),"at_end":\(isAtEnd)}
                    """
                return try JSONDecoder().decode(MerkleSubtree.self, from: Data(json.utf8))
            }
            let (first, last) = (
                try made(isAtStart: true, isAtEnd: false), try made(isAtStart: false, isAtEnd: true)
            )
            _ = try? first.joined(with: last).root()
        }
    }
}

extension String {
    fileprivate func replacingOccurrences(_ word: String, _ replacement: String) -> String {
        split(separator: word, omittingEmptySubsequences: false).joined(separator: replacement)
    }
}
