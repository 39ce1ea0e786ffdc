import HTTPTypes
import XetCodec

/// file-chunk-hashes: what an edit of a file has to know of the chunks that it leaves alone.
extension CASTarget {
    private struct ChunkHashesBody: Encodable {
        struct Window: Encodable {
            /// Start and end of bytes, half open.
            let dirtyByteRange: [Int]
        }

        let totalChunks: Int
        let fileSize: Int
        let windows: [Window]
        /// The trees before, between and behind the windows; nil where there are no chunks.
        let hashRanges: [MerkleSubtree?]
        /// Of each term that no window touches.
        let gapVerification: [String]
    }

    func chunkHashes(_ hash: XetHash) async throws -> Answer {
        let text = request.headers[.rangeDirty] ?? ""
        guard let ranges = ByteRange.list(text) else {
            throw Refusal.badRequest("Invalid X-Range-Dirty: \(text)")
        }
        return try await blocking {
            let file = try file(hash)
            guard ranges.allSatisfy({ $0.first < file.size }) else {
                throw Refusal.badRequest("A dirty range begins behind the end of the file")
            }
            let terms = try file.terms.map { try self.chunks(of: $0) }
            let chunks = terms.flatMap { $0 }
            let windows = DirtyWindows.windows(of: chunks, changing: ranges)
            return try .json(
                ChunkHashesBody(
                    totalChunks: chunks.count, fileSize: file.size,
                    windows: Self.bytes(of: windows, in: chunks).map {
                        .init(dirtyByteRange: [$0.lowerBound, $0.upperBound])
                    },
                    hashRanges: Self.gaps(between: windows, in: chunks),
                    gapVerification: Self.proofs(of: terms, outside: windows)))
        }
    }

    private func chunks(of term: XetTerm) throws -> ArraySlice<MerkleNode> {
        guard let index = try store.index(of: term.xorb),
            index.chunks.count >= Int(term.chunks.upperBound)
        else { throw Reconstruction.Failure.broken(term.xorb) }
        return index.chunks[Int(term.chunks.lowerBound)..<Int(term.chunks.upperBound)]
    }

    private static func bytes(
        of windows: [Range<Int>], in chunks: [MerkleNode]
    ) -> [Range<Int>] {
        var starts = [0]
        for chunk in chunks { starts.append(starts[starts.count - 1] + Int(chunk.byteCount)) }
        return windows.map { starts[$0.lowerBound]..<starts[$0.upperBound] }
    }

    private static func gaps(
        between windows: [Range<Int>], in chunks: [MerkleNode]
    ) -> [MerkleSubtree?] {
        let starts = [0] + windows.map(\.upperBound)
        let ends = windows.map(\.lowerBound) + [chunks.count]
        return zip(starts, ends).map { start, end in
            start == end
                ? nil
                : MerkleSubtree(
                    of: Array(chunks[start..<end]), isAtStart: start == 0,
                    isAtEnd: end == chunks.count)
        }
    }

    private static func proofs(
        of terms: [ArraySlice<MerkleNode>], outside windows: [Range<Int>]
    ) -> [String] {
        var start = 0
        return terms.compactMap { term in
            let range = start..<start + term.count
            start = range.upperBound
            guard !windows.contains(where: { $0.overlaps(range) }) else { return nil }
            return XetHash(ofRange: term.map(\.hash)).text
        }
    }
}
