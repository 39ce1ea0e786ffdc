import HubClient
import Platform
import XetCodec

/// A file put together from what the store has of it and the bytes around its edits, without reading the rest.
///
/// ```
/// the store's terms   │ term 1   │ term 2              │ term 3   │ term 4
/// edited                               ▒▒
/// cut anew (window)                 ░░░░░░░
/// read                           │ term 2              │
/// the new terms       │ term 1   │ 2a│ new │ 2b        │ term 3   │ term 4
/// ```
/// The store gives the trees of the chunks beside the windows, from which the file's new name is made, and the
/// proofs of terms that stay. Of a term that a window touches all chunks have to be known, so it is read.
///
/// Only where nobody asks for a digest of all bytes: in buckets.
struct FileDelta: Sendable {
    /// What the new file has, in its order.
    enum Piece: Sendable {
        /// A term of the old one, and its proof.
        case kept(XetTerm, proof: XetHash)
        /// Chunks whose bytes begin there.
        case chunks([MerkleNode], offset: UInt64)
    }

    let hash: XetHash
    let pieces: [Piece]
    /// Where the store has chunks of terms that were read.
    let places: [XetHash: ChunkPlace]

    /// Why a file cannot be put together so: it is read whole then.
    struct Unfit: Error {
        let reason: String
    }

    /// - Parameters:
    ///   - file: With edits of `base`, bytes of which are where they were.
    ///   - terms: Of the base, as the store has it.
    ///   - gaps: What the store says of the bytes that `changes` names.
    ///   - source: Reads the base.
    /// - Throws: `Unfit`, and what reading and joining throw.
    init(
        of file: StagedBytes, over base: BaseFile, _ terms: [XetTerm], _ gaps: ChunkGaps,
        _ source: any BaseSource
    ) throws {
        let old = try OldTerms(terms, base, gaps, source)
        var builder = Builder(old)
        var trees: [MerkleSubtree] = []
        for (index, window) in gaps.windows.enumerated() {
            if let tree = gaps.trees[index] { trees.append(tree) }
            let isLast = window.upperBound == base.size
            guard window.lowerBound <= file.size, isLast || window.upperBound <= file.size else {
                throw Unfit(reason: "a window behind the end")
            }
            let bytes = window.lowerBound..<(isLast ? file.size : window.upperBound)
            let chunks = try Self.cut(file, bytes)
            trees.append(
                MerkleSubtree(of: chunks, isAtStart: window.lowerBound == 0, isAtEnd: isLast))
            try builder.add(chunks, at: bytes.lowerBound, instead: window)
        }
        if let tree = gaps.trees.last, let tree { trees.append(tree) }
        guard let first = trees.first else { throw Unfit(reason: "no trees") }
        let tree = try trees.dropFirst().reduce(first) { try $0.joined(with: $1) }
        guard tree.byteCount == file.size else { throw Unfit(reason: "trees of another file") }
        hash = XetHash(ofFileWithRoot: try tree.root())
        pieces = try builder.finish()
        places = old.places
    }

    /// The bytes of the base that are others in a file; nil when they are too many, or too much of it.
    ///
    /// - Parameter base: What the file was edited on.
    static func changes(of file: StagedBytes, over base: BaseFile) -> [ClosedRange<UInt64>]? {
        var kept = UInt64(0)
        var dirty: [ClosedRange<UInt64>] = []
        func add(_ bytes: Range<UInt64>) {
            let bytes = bytes.clamped(to: 0..<base.size)
            guard !bytes.isEmpty else { return }
            if let last = dirty.last, bytes.lowerBound <= last.upperBound + joinedBytes {
                dirty[dirty.count - 1] =
                    last.lowerBound...max(last.upperBound, bytes.upperBound - 1)
            } else {
                dirty.append(bytes.lowerBound...bytes.upperBound - 1)
            }
        }
        file.forEachRange { bytes, isBase in
            if isBase { kept += UInt64(bytes.count) } else { add(bytes) }
        }
        // What ends elsewhere changes its last chunk.
        if file.size != base.size { add(min(file.size, base.size - 1)..<base.size) }
        guard kept >= keptBytesMin, dirty.count <= rangeCountMax, !dirty.isEmpty else { return nil }
        return dirty
    }

    /// Edits nearer to each other are one: a window reaches further.
    private static let joinedBytes: UInt64 = 256 << 10
    /// What a question can name.
    private static let rangeCountMax = 64
    /// With less, reading the file costs nothing.
    static let keptBytesMin: UInt64 = 16 << 20

    /// Cuts a window, which must end where a chunk ends of itself, or with the file.
    private static func cut(
        _ file: StagedBytes, _ bytes: Range<UInt64>
    ) throws -> [MerkleNode] {
        var hasher = FileHasher()
        try PieceReader(file).forEachPiece(of: bytes) { hasher.update($0) }
        if bytes.upperBound == file.size {
            _ = hasher.finish()
        } else {
            guard hasher.chunks.reduce(0, { $0 + $1.byteCount }) == UInt64(bytes.count) else {
                throw Unfit(reason: "chunks do not end with their window")
            }
        }
        return hasher.chunks
    }
}

/// The terms of a file before it was edited.
private struct OldTerms {
    struct Row {
        let term: XetTerm
        /// Where its bytes begin.
        let start: UInt64
        /// All of its chunks if a window touches it.
        var chunks: [MerkleNode] = []
        /// If none does.
        var proof: XetHash?

        var end: UInt64 { start + UInt64(term.byteCount) }
    }

    private(set) var rows: [Row] = []
    private(set) var places: [XetHash: ChunkPlace] = [:]

    init(
        _ terms: [XetTerm], _ base: BaseFile, _ gaps: ChunkGaps, _ source: any BaseSource
    ) throws {
        var start = UInt64(0)
        var proofs = gaps.proofs[...]
        for term in terms {
            var row = Row(term: term, start: start)
            start = row.end
            let isTouched = gaps.windows.contains { $0.overlaps(row.start..<row.end) }
            if isTouched {
                row.chunks = try Self.chunks(of: row, base, source)
                for (chunk, number) in zip(row.chunks, term.chunks) {
                    places[chunk.hash] = ChunkPlace(xorb: term.xorb, number: number)
                }
            } else {
                row.proof = proofs.popFirst()
                if row.proof == nil { throw FileDelta.Unfit(reason: "a term without a proof") }
            }
            rows.append(row)
        }
        guard start == base.size, proofs.isEmpty else {
            throw FileDelta.Unfit(reason: "terms of another file")
        }
    }

    /// Terms begin and end with chunks.
    private static func chunks(
        of row: Row, _ base: BaseFile, _ source: any BaseSource
    ) throws -> [MerkleNode] {
        var hasher = FileHasher()
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: PieceReader.byteCountMax, alignment: 4096)
        defer { buffer.deallocate() }
        var offset = row.start
        while offset < row.end {
            let count = Int(min(UInt64(buffer.count), row.end - offset))
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            try source.read(base, at: offset, into: part)
            hasher.update(UnsafeRawBufferPointer(part))
            offset += UInt64(count)
        }
        _ = hasher.finish()
        guard hasher.chunks.count == row.term.numbers.count else {
            throw FileDelta.Unfit(reason: "a term of other chunks")
        }
        return hasher.chunks
    }
}

extension FileDelta {
    /// Puts the pieces in their order.
    private struct Builder {
        private var rows: ArraySlice<OldTerms.Row>
        private var pieces: [Piece] = []
        /// Bytes of the old file that the pieces stand for.
        private var position = UInt64(0)

        init(_ old: OldTerms) { rows = old.rows[...] }

        /// Puts chunks where a window of the old file was.
        mutating func add(
            _ chunks: [MerkleNode], at offset: UInt64, instead window: Range<UInt64>
        ) throws {
            try copy(upTo: window.lowerBound)
            pieces.append(.chunks(chunks, offset: offset))
            position = window.upperBound
            while let row = rows.first, row.end <= position { rows.removeFirst() }
        }

        mutating func finish() throws -> [Piece] {
            if let last = rows.last { try copy(upTo: last.end) }
            return pieces
        }

        private mutating func copy(upTo end: UInt64) throws {
            while position < end, let row = rows.first {
                if let proof = row.proof {
                    guard position == row.start, row.end <= end else {
                        throw Unfit(reason: "a window that a term has no proof for")
                    }
                    pieces.append(.kept(row.term, proof: proof))
                    position = row.end
                } else {
                    try copyChunks(of: row, upTo: min(end, row.end))
                }
                if position == row.end { rows.removeFirst() }
            }
            guard position == end else { throw Unfit(reason: "a window within a chunk") }
        }

        private mutating func copyChunks(of row: OldTerms.Row, upTo end: UInt64) throws {
            var start = row.start
            var chunks: [MerkleNode] = []
            let offset = position
            for chunk in row.chunks where start < end {
                if start >= position { chunks.append(chunk) }
                start += chunk.byteCount
            }
            guard chunks.reduce(offset, { $0 + $1.byteCount }) == end else {
                throw Unfit(reason: "a window within a chunk")
            }
            pieces.append(.chunks(chunks, offset: offset))
            position = end
        }
    }
}
