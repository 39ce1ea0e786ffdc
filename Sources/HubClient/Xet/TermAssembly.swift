import XetCodec

/// Puts the bytes of a file's range together from the chunks of its terms, as they come.
///
/// Pure: it neither fetches nor stores. Chunks come range by range in the order of `ranges`, each from its
/// first to its last; what stands further on in the file than what is still missing is kept, up to
/// `keptBytesMax`.
struct TermAssembly {
    enum Failure: Error, Hashable {
        /// The terms, or the chunks that came, contradict each other or what was asked for.
        case contradiction(String)
        /// More would have to be kept than may be.
        case tooScattered
    }

    /// Most bytes of chunks that are kept until it is their turn.
    static let keptBytesMax = 1 << 20

    private struct ChunkKey: Hashable {
        let xorb: XetHash
        let number: Int
    }

    /// What has to be fetched, in the order of its first use.
    let ranges: [XorbRange]
    private let terms: [XetTerm]
    private var kept: [ChunkKey: [UInt8]] = [:]
    private var keptBytes = 0
    private var term = 0
    /// The number of the next chunk of that term.
    private var chunk: Int
    /// Bytes of that term so far.
    private var termBytes = 0
    private var skipCount: UInt64
    private var missingCount: UInt64

    /// - Parameter count: Bytes that are wanted.
    init(_ plan: Reconstruction, count: UInt64) throws(Failure) {
        guard let first = plan.terms.first, plan.byteCount >= plan.skipCount,
            plan.byteCount - plan.skipCount >= count
        else { throw .contradiction("terms of \(plan.byteCount) bytes for \(count)") }
        var ranges: [XorbRange] = []
        for term in plan.terms {
            let holder = plan.ranges.first {
                $0.xorb == term.xorb && $0.chunks.lowerBound <= term.numbers.lowerBound
                    && $0.chunks.upperBound >= term.numbers.upperBound
            }
            guard let holder else { throw .contradiction("a term that no range holds") }
            if !ranges.contains(holder) { ranges.append(holder) }
        }
        self.ranges = ranges
        terms = plan.terms
        chunk = first.numbers.lowerBound
        skipCount = plan.skipCount
        missingCount = count
    }

    /// Whether every byte has been handed on.
    var isWhole: Bool { missingCount == 0 }

    /// Takes a chunk and hands on what can be.
    ///
    /// - Parameter deliver: Called with the next bytes, which are valid during the call; false ends it all.
    /// - Returns: false when nothing more is wanted.
    mutating func take(
        _ number: Int, of range: XorbRange, _ bytes: UnsafeRawBufferPointer,
        deliver: (UnsafeRawBufferPointer) -> Bool
    ) throws(Failure) -> Bool {
        let key = ChunkKey(xorb: range.xorb, number: number)
        if nextKey == key {
            if isNeeded(key, from: term + 1) { try keep(key, bytes) }
            guard try hand(on: bytes, deliver) else { return false }
        } else if isNeeded(key, from: term) {
            try keep(key, bytes)
        }
        while let next = nextKey, let bytes = kept[next] {
            if !isNeeded(next, from: term + 1) { drop(next) }
            let result = bytes.withUnsafeBytes { bytes in
                Result { () throws(Failure) in try hand(on: bytes, deliver) }
            }
            guard try result.get() else { return false }
        }
        return !isWhole
    }

    private var nextKey: ChunkKey? {
        guard !isWhole, term < terms.count else { return nil }
        return ChunkKey(xorb: terms[term].xorb, number: chunk)
    }

    /// Whether a term has the chunk, from that one on.
    private func isNeeded(_ key: ChunkKey, from index: Int) -> Bool {
        terms[min(index, terms.count)...].contains {
            $0.xorb == key.xorb && $0.numbers.contains(key.number)
        }
    }

    private mutating func keep(_ key: ChunkKey, _ bytes: UnsafeRawBufferPointer) throws(Failure) {
        guard kept[key] == nil else { return }
        keptBytes += bytes.count
        guard keptBytes <= Self.keptBytesMax else { throw .tooScattered }
        kept[key] = Array(bytes)
    }

    private mutating func drop(_ key: ChunkKey) {
        keptBytes -= kept.removeValue(forKey: key)?.count ?? 0
    }

    /// Hands on the bytes of the next chunk.
    private mutating func hand(
        on bytes: UnsafeRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) -> Bool
    ) throws(Failure) -> Bool {
        let whole = terms[term]
        termBytes += bytes.count
        chunk += 1
        let isEnd = chunk == whole.numbers.upperBound
        guard isEnd ? termBytes == Int(whole.byteCount) : termBytes < Int(whole.byteCount) else {
            throw .contradiction("\(termBytes) bytes in a term of \(whole.byteCount)")
        }
        if isEnd {
            term += 1
            termBytes = 0
            if term < terms.count { chunk = terms[term].numbers.lowerBound }
        }
        let skipped = min(skipCount, UInt64(bytes.count))
        skipCount -= skipped
        let rest = bytes.dropFirst(Int(skipped))
        let piece = rest.prefix(Int(clamping: missingCount))
        guard !piece.isEmpty else { return !isWhole }
        missingCount -= UInt64(piece.count)
        return deliver(UnsafeRawBufferPointer(rebasing: piece)) && !isWhole
    }
}
