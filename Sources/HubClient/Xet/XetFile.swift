import Platform
package import XetCodec

/// A file of which the store has said how it is put together.
package final class XetFile: Sendable {
    /// What a read finds at a place of the file.
    enum Piece {
        /// Some of these chunks, up to the end of the range or of what is read at once.
        case shared(SharedChunks, chunks: Range<Int>)
        /// Nobody here has these bytes.
        case absent(Range<UInt64>)
    }

    /// Its name in the store.
    package let hash: XetHash
    package let terms: [XetTerm]
    private let runs: Guarded<[SharedChunks]>
    private let failureCount = Guarded(0)

    /// Most bytes of shared chunks that are read at once: they stay near the processor while they are
    /// hashed and written.
    static let pieceBytesMax = UInt32(PieceBuffer.byteCount)

    init(hash: XetHash, terms: [XetTerm], runs: [SharedChunks]) {
        self.hash = hash
        self.terms = terms
        self.runs = Guarded(runs)
    }

    /// Memory that it takes, about.
    var costBytes: Int {
        runs.withLock { runs in
            runs.reduce(64 * terms.count) { $0 + 128 + 36 * $1.ends.count }
        }
    }

    func sharesBytes(of range: Range<UInt64>) -> Bool {
        runs.withLock { runs in
            let index = Self.firstEnding(after: range.lowerBound, in: runs)
            return index < runs.count && runs[index].start < range.upperBound
        }
    }

    /// What is at the beginning of a range that is not empty.
    func piece(at range: Range<UInt64>) -> Piece {
        runs.withLock { runs in
            let index = Self.firstEnding(after: range.lowerBound, in: runs)
            guard index < runs.count, runs[index].start < range.upperBound else {
                return .absent(range)
            }
            let run = runs[index]
            guard run.start <= range.lowerBound else {
                return .absent(range.lowerBound..<run.start)
            }
            let first = run.chunk(at: range.lowerBound)
            var end = first + 1
            while end < run.ends.count, run.start + UInt64(run.ends[end - 1]) < range.upperBound,
                run.ends[end] - run.bytes(ofChunk: first).lowerBound <= Self.pieceBytesMax
            {
                end += 1
            }
            return .shared(run, chunks: first..<end)
        }
    }

    /// Drops chunks that were not what they should be: they are fetched from now on.
    func forget(_ run: SharedChunks) {
        runs.withLock { $0.removeAll { $0.start == run.start } }
    }

    /// Notes how a fetch by the store has ended.
    ///
    /// - Returns: how many have failed one after the other.
    func note(isFailure: Bool) -> Int {
        failureCount.withLock { count in
            count = isFailure ? count + 1 : 0
            return count
        }
    }

    /// The first run that ends behind a place; the number of runs when there is none.
    private static func firstEnding(after offset: UInt64, in runs: [SharedChunks]) -> Int {
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].bytes.upperBound > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
