import HubClient
import XetCodec

/// Finds which bytes of a file other contents have, from the terms of the file and the runs that are
/// known of their xorbs. Pure.
///
/// A plan does not say how long each chunk is. From its term's first chunk on the known runs tell, and
/// backwards from its last one; what lies between two unknown parts of a term has no known place.
struct SharedSearch {
    private let runs: [XetHash: [ChunkRun]]

    init(_ runs: [ChunkRun]) { self.runs = Dictionary(grouping: runs, by: \.xorb) }

    /// Chunks of the file that others have, ascending.
    func shared(_ terms: [XetTerm]) -> [SharedChunks] {
        var found: [SharedChunks] = []
        var start: UInt64 = 0
        for term in terms {
            found += shared(term, at: start)
            start += UInt64(term.byteCount)
        }
        return found
    }

    private func shared(_ term: XetTerm, at start: UInt64) -> [SharedChunks] {
        guard let runs = runs[term.xorb] else { return [] }
        var found: [SharedChunks] = []
        var (next, place) = (term.numbers.lowerBound, start)
        while next < term.numbers.upperBound,
            let run = runs.filter({ $0.numbers.contains(next) })
                .max(by: { $0.numbers.upperBound < $1.numbers.upperBound })
        {
            let numbers = next..<min(run.numbers.upperBound, term.numbers.upperBound)
            found.append(Self.chunks(numbers, of: run, at: place))
            place += run.byteCount(of: numbers)
            next = numbers.upperBound
        }
        let end = start + UInt64(term.byteCount)
        // Lengths that do not fit each other are of another xorb than they say.
        guard next == term.numbers.upperBound ? place == end : place < end else { return [] }
        guard next < term.numbers.upperBound else { return found }
        var fromEnd: [SharedChunks] = []
        var (last, edge) = (term.numbers.upperBound, end)
        while last > next,
            let run = runs.filter({ $0.numbers.contains(last - 1) })
                .min(by: { $0.numbers.lowerBound < $1.numbers.lowerBound })
        {
            let numbers = max(run.numbers.lowerBound, next)..<last
            let count = run.byteCount(of: numbers)
            guard edge >= place + count else { return found }
            edge -= count
            fromEnd.append(Self.chunks(numbers, of: run, at: edge))
            last = numbers.lowerBound
        }
        return found + fromEnd.reversed()
    }

    private static func chunks(
        _ numbers: Range<Int>, of run: ChunkRun, at start: UInt64
    ) -> SharedChunks {
        let indexes = numbers.lowerBound - run.first..<numbers.upperBound - run.first
        var ends: [UInt32] = []
        ends.reserveCapacity(indexes.count)
        for index in indexes { ends.append((ends.last ?? 0) + run.lengths[index]) }
        return SharedChunks(
            start: start, source: run.hex,
            sourceStart: run.start + run.byteCount(of: run.first..<numbers.lowerBound),
            ends: ends, hashes: Array(run.hashes[indexes]))
    }
}
