import XetCodec

/// The terms of one file while it is put together, some in xorbs that have no name yet.
struct TermList {
    /// Chunks of one xorb that follow each other.
    struct Term {
        var place: ChunkSource
        var chunkCount: UInt32
        var byteCount: UInt32
        /// Of a term of another file that stays as it is, and whose chunks nobody knows.
        var proof: XetHash?
    }

    /// Where a chunk comes from.
    enum ChunkSource: Hashable {
        /// A xorb that the store has.
        case stored(ChunkPlace)
        /// A xorb of this upload, by the order in which they were begun.
        case new(xorb: Int, number: UInt32)

        /// The chunk that many behind it.
        func advanced(by count: UInt32) -> ChunkSource {
            switch self {
            case .stored(let place):
                .stored(ChunkPlace(xorb: place.xorb, number: place.number + count))
            case .new(let xorb, let number): .new(xorb: xorb, number: number + count)
            }
        }
    }

    private(set) var terms: [Term] = []

    /// A file in so many pieces is slow to read: the official client's bound, chunks of a term on average.
    private static let averageMin = 4
    private static let windowCount = 128
    /// Longest term: its length has 32 bits, and readers fetch it whole.
    private static let byteCountMax: UInt32 = 64 << 20

    /// Whether the chunk goes on where the last term ends.
    func continues(with source: ChunkSource) -> Bool {
        guard let last = terms.last, last.proof == nil else { return false }
        return last.place.advanced(by: last.chunkCount) == source
    }

    /// Whether a run of known chunks is worth a term of its own.
    ///
    /// - Parameter runCount: Its chunks.
    func isWorthwhile(runCount: Int) -> Bool {
        let recent = terms.suffix(Self.windowCount)
        guard recent.count == Self.windowCount else { return true }
        let average = recent.reduce(0) { $0 + Int($1.chunkCount) } / recent.count
        return average >= Self.averageMin || runCount >= Self.averageMin
    }

    mutating func append(_ source: ChunkSource, byteCount: UInt32) {
        if continues(with: source), let last = terms.last,
            last.byteCount + byteCount <= Self.byteCountMax
        {
            terms[terms.count - 1].chunkCount += 1
            terms[terms.count - 1].byteCount += byteCount
        } else {
            terms.append(Term(place: source, chunkCount: 1, byteCount: byteCount))
        }
    }

    mutating func append(_ term: XetTerm, proof: XetHash) {
        let first = ChunkPlace(xorb: term.xorb, number: term.chunks.lowerBound)
        terms.append(
            Term(
                place: .stored(first), chunkCount: UInt32(term.chunks.count),
                byteCount: term.byteCount, proof: proof))
    }

    /// The file as a shard has it.
    ///
    /// - Parameters:
    ///   - chunks: Of all terms that came without a proof.
    ///   - xorbs: The names of this upload's xorbs.
    func file(
        _ chunks: [MerkleNode], hash: XetHash, xorbs: [XetHash], sha256: [UInt8]?
    ) -> ShardFile {
        var next = 0
        var proofs: [XetHash] = []
        let named = terms.map { term -> XetTerm in
            if let proof = term.proof {
                proofs.append(proof)
            } else {
                let count = Int(term.chunkCount)
                proofs.append(XetHash(ofRange: chunks[next..<next + count].map(\.hash)))
                next += count
            }
            let (xorb, first) =
                switch term.place {
                case .stored(let place): (place.xorb, place.number)
                case .new(let number, let first): (xorbs[number], first)
                }
            return XetTerm(
                xorb: xorb, byteCount: term.byteCount, chunks: first..<first + term.chunkCount)
        }
        return ShardFile(hash: hash, terms: named, proofs: proofs, sha256: sha256)
    }
}
