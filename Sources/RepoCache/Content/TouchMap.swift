import Synchronization

/// A set of blocks of a content that any thread may change: those that were read since it was opened, those
/// that came ahead of their reader. To find that nothing changes costs a look.
///
/// `@unchecked Sendable`: `words` never changes, and what it points to is atomic and lives until `deinit`.
struct TouchMap: ~Copyable, @unchecked Sendable {
    private static let wordBits = 64

    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let wordCount: Int

    /// - Parameter blockCount: More than this are never named.
    init(blockCount: Int) {
        wordCount = (blockCount + Self.wordBits - 1) / Self.wordBits
        words = .allocate(capacity: wordCount)
        for index in 0..<wordCount { (words + index).initialize(to: Atomic(0)) }
    }

    deinit {
        words.deinitialize(count: wordCount)
        words.deallocate()
    }

    /// Puts blocks in.
    ///
    /// - Returns: false when all of them were there.
    func insert(_ blocks: Range<Int>) -> Bool {
        var isNew = false
        forEachWord(of: blocks) { word, bits in
            // A load is cheaper, and nearly always enough.
            if words[word].load(ordering: .relaxed) & bits != bits {
                let (old, _) = words[word].bitwiseOr(bits, ordering: .relaxed)
                isNew = isNew || old & bits != bits
            }
        }
        return isNew
    }

    /// Takes blocks out.
    ///
    /// - Parameter wasThere: Called for each that was there; of two threads that take out the same one, by
    ///   one of them.
    func remove(_ blocks: Range<Int>, wasThere: (Int) -> Void) {
        forEachWord(of: blocks) { word, bits in
            guard words[word].load(ordering: .relaxed) & bits != 0 else { return }
            var taken = words[word].bitwiseAnd(~bits, ordering: .relaxed).oldValue & bits
            while taken != 0 {
                wasThere(word * Self.wordBits + taken.trailingZeroBitCount)
                taken &= taken - 1
            }
        }
    }

    func contains(_ block: Int) -> Bool {
        let bit: UInt64 = 1 << UInt64(block % Self.wordBits)
        return words[block / Self.wordBits].load(ordering: .relaxed) & bit != 0
    }

    @inline(__always)
    private func forEachWord(of blocks: Range<Int>, _ body: (Int, UInt64) -> Void) {
        var start = blocks.lowerBound
        while start < blocks.upperBound {
            let word = start / Self.wordBits
            let end = min((word + 1) * Self.wordBits, blocks.upperBound)
            let mask = UInt64.max >> UInt64(Self.wordBits - (end - start))
            body(word, mask << UInt64(start % Self.wordBits))
            start = end
        }
    }
}
