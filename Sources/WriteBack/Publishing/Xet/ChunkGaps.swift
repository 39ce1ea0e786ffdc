import FoundationEssentials
import XetCodec

/// What a store says of a file whose bytes change in some places: where it has to be cut anew, and what is to be
/// known of the rest.
///
/// Source: `GET /v2/file-chunk-hashes/{file}`, the Xet specification's delta uploads.
struct ChunkGaps {
    /// Bytes to cut anew, ascending, each from the start of a chunk to the end of one.
    let windows: [Range<UInt64>]
    /// The trees before, between and behind the windows; nil where there are no chunks.
    let trees: [MerkleSubtree?]
    /// Of the file's terms that no window touches, in their order.
    let proofs: [XetHash]

    private struct Body: Decodable {
        struct Window: Decodable { let dirtyByteRange: [UInt64] }
        let fileSize: UInt64
        let windows: [Window]
        let hashRanges: [MerkleSubtree?]
        let gapVerification: [String]
    }

    /// Reads an answer.
    ///
    /// - Parameter size: Of the file, bytes.
    /// - Returns: nil for an answer that does not fit itself, or the file.
    init?(_ answer: [UInt8], fileSize size: UInt64) {
        guard let body = try? JSONDecoder().decode(Body.self, from: Data(answer)),
            body.fileSize == size, body.hashRanges.count == body.windows.count + 1
        else { return nil }
        var windows: [Range<UInt64>] = []
        for window in body.windows.map(\.dirtyByteRange) {
            guard window.count == 2, window[0] < window[1], window[1] <= size,
                window[0] >= windows.last?.upperBound ?? 0
            else { return nil }
            windows.append(window[0]..<window[1])
        }
        let proofs = body.gapVerification.compactMap { XetHash(text: $0) }
        let starts = [0] + windows.map(\.upperBound)
        let ends = windows.map(\.lowerBound) + [size]
        let fits = zip(body.hashRanges, zip(starts, ends)).allSatisfy { tree, bytes in
            (tree?.byteCount ?? 0) == bytes.1 - bytes.0
        }
        guard fits, proofs.count == body.gapVerification.count else { return nil }
        self.windows = windows
        self.proofs = proofs
        trees = body.hashRanges
    }
}
