import XetCodec

/// How a range of a file is put together from ranges of xorbs.
struct Reconstruction: Sendable {
    struct Term: Sendable {
        let xorb: XetHash
        let chunks: Range<Int>
        /// Unpacked, of each chunk.
        let byteCounts: [Int]
    }

    /// Chunks of a xorb next to each other, and the bytes they lie in.
    struct Fetch: Sendable {
        let chunks: Range<Int>
        let bytes: ByteRange
    }

    /// Bytes of the first term that come before the range.
    private(set) var offset = 0
    /// In the order of the file; the first and the last one have no chunk the range does not need.
    private(set) var terms: [Term] = []
    /// Of each xorb once, in the order in which the file first needs it.
    private(set) var fetches: [(xorb: XetHash, fetches: [Fetch])] = []

    enum Failure: Error {
        /// The database names a xorb it does not have, or chunks the xorb does not have.
        case broken(XetHash)
    }

    /// - Parameter range: Bytes of the file; what is behind its end does not count.
    init(
        of file: XetFile, _ range: Range<Int>, index: (XetHash) throws -> XorbIndex?
    ) throws {
        var indexes: [XetHash: XorbIndex] = [:]
        var position = 0
        for term in file.terms {
            defer { position += Int(term.byteCount) }
            let end = position + Int(term.byteCount)
            guard end > range.lowerBound, position < range.upperBound else { continue }
            let found = try indexes[term.xorb] ?? index(term.xorb)
            guard let found, found.chunks.count >= Int(term.chunks.upperBound) else {
                throw Failure.broken(term.xorb)
            }
            indexes[term.xorb] = found
            append(term, at: position, found, range)
        }
        var order: [XetHash] = []
        var ranges: [XetHash: [Range<Int>]] = [:]
        for term in terms {
            if ranges[term.xorb] == nil { order.append(term.xorb) }
            ranges[term.xorb, default: []].append(term.chunks)
        }
        fetches = try order.map { xorb in
            guard let index = indexes[xorb] else { throw Failure.broken(xorb) }
            let merged = Self.merged(ranges[xorb] ?? [])
            return (xorb, merged.map { Fetch(chunks: $0, bytes: index.bytes(of: $0)) })
        }
    }

    /// Adds what the range needs of a term.
    private mutating func append(
        _ term: XetTerm, at start: Int, _ index: XorbIndex, _ range: Range<Int>
    ) {
        var position = start
        var first: Int?
        var byteCounts: [Int] = []
        for chunk in Int(term.chunks.lowerBound)..<Int(term.chunks.upperBound) {
            let byteCount = Int(index.chunks[chunk].byteCount)
            defer { position += byteCount }
            if position + byteCount <= range.lowerBound { continue }
            if position >= range.upperBound { break }
            if first == nil {
                first = chunk
                if terms.isEmpty { offset = range.lowerBound - position }
            }
            byteCounts.append(byteCount)
        }
        guard let first else { return }
        terms.append(
            Term(
                xorb: term.xorb, chunks: first..<first + byteCounts.count,
                byteCounts: byteCounts))
    }

    /// In order, those that overlap or touch made one.
    static func merged(_ ranges: [Range<Int>]) -> [Range<Int>] {
        var merged: [Range<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] =
                    last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged
    }
}
