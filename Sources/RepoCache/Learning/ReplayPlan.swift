import HubClient

/// Decides what is fetched ahead of a reader in an order that was learned, and when to leave it.
///
/// A reader has to show first that he does what was done before: each range he finds near the beginning of the
/// order opens the window further, and from the third on what he uses does. Whoever reads one file of a
/// commit costs nothing, whoever looks at two or three a few MiB. Of the last reads a quarter must be in the
/// order, or it is left for good. Where the reader goes on elsewhere in the order, fetching goes on there, and
/// what was passed over comes last.
///
/// Pure; its owner calls it under a lock.
struct ReplayPlan {
    /// A range to fetch.
    struct Step {
        let file: ContentLocation
        let bytes: Range<UInt64>
        fileprivate var readBytes: UInt64 = 0
        /// It was given out, or needs not be.
        fileprivate var isGiven = false
        /// What of it was not read yet counts against the window.
        fileprivate var isAhead = false

        init(_ file: ContentLocation, _ bytes: Range<UInt64>) {
            self.file = file
            self.bytes = bytes
        }

        fileprivate var unreadBytes: UInt64 { UInt64(bytes.count) - readBytes }
    }

    /// Ranges found that make a reader known.
    static let foundCountMin = 3
    /// Until then only so many more ranges than were found are the beginning: readers who
    /// take turns change places.
    static let headStepCount = 16
    /// Bytes ahead of a reader who has found one range, two, and more. What he used comes on top, twice.
    static let windowBytes: [UInt64] = [0, 1 << 20, 16 << 20, 64 << 20]
    /// Reads after which it is asked whether they go by the order, and the most that are looked at. Where
    /// somebody has said that they will, he is believed as long as that.
    static let judgedCountMin = 8
    static let judgedCountMax = 32

    private(set) var steps: [Step]
    /// What is read is something else: nothing more is given out.
    private(set) var hasLeft = false
    private let isSure: Bool
    private let aheadBytesMax: UInt64
    /// Of each content its steps, in the order of their bytes.
    private var places: [ContentID: [Int]] = [:]
    /// Steps of which something was read.
    private var foundCount = 0
    private var usedBytes: UInt64 = 0
    /// Given out, or here through that, and not read.
    private(set) var aheadBytes: UInt64 = 0
    /// The step that may be given out next.
    private var next = 0
    /// All before it were given out.
    private var firstOpen = 0
    /// Of the last reads, the newest in the lowest bit: whether they were in the order.
    private var outcomes: UInt32 = 0
    private var judgedCount = 0

    /// - Parameters:
    ///   - steps: In the order in which they are to be fetched; no byte is in two of them.
    ///   - isSure: Somebody has said that this is what is going to be read: nothing has to be shown.
    ///   - aheadBytesMax: Never to be more ahead of the reader.
    init(_ steps: [Step], isSure: Bool, aheadBytesMax: UInt64) {
        self.steps = steps
        self.isSure = isSure
        self.aheadBytesMax = aheadBytesMax
        for index in steps.indices { places[steps[index].file.content, default: []].append(index) }
        for content in Array(places.keys) {
            places[content]!.sort { steps[$0].bytes.lowerBound < steps[$1].bytes.lowerBound }
        }
    }

    /// Whether the reader goes by the order, as far as can be known: then streams would ask for the same.
    var isTrusted: Bool { !hasLeft && (isSure || foundCount >= Self.foundCountMin) }

    /// Whether something may be left to give out.
    var hasMore: Bool { !hasLeft && firstOpen < steps.count }

    /// Takes note of bytes that a reader wants for the first time.
    ///
    /// - Returns: true when `takeStep` may have something new.
    mutating func read(_ bytes: Range<UInt64>, of content: ContentID) -> Bool {
        guard !hasLeft else { return false }
        var isMatch = false
        for index in steps(of: content, touching: bytes) {
            use(bytes.clamped(to: steps[index].bytes), of: index)
            guard isTrusted || index < foundCount + Self.headStepCount else { continue }
            isMatch = true
            // He is there already: on from here.
            if !steps[index].isGiven { next = index }
        }
        judge(isMatch)
        return isMatch && !hasLeft
    }

    /// Takes note that the kernel reads a content by itself: nobody will tell of what.
    mutating func readWhole(_ content: ContentID) -> Bool {
        guard !hasLeft, let indexes = places[content] else { return false }
        for index in indexes { use(steps[index].bytes, of: index) }
        return true
    }

    /// Gives out what is to be fetched next.
    ///
    /// - Returns: nil when there is nothing before something was read, or ended.
    mutating func takeStep() -> Int? {
        guard !hasLeft, let index = nextOpen() else { return nil }
        guard aheadBytes + steps[index].unreadBytes <= window else { return nil }
        steps[index].isGiven = true
        steps[index].isAhead = true
        aheadBytes += steps[index].unreadBytes
        next = index + 1
        return index
    }

    /// Ends a step that was given out.
    ///
    /// - Parameter isFetched: It is here because of that.
    mutating func ended(_ index: Int, isFetched: Bool) {
        guard !isFetched, steps[index].isAhead else { return }
        steps[index].isAhead = false
        aheadBytes -= steps[index].unreadBytes
    }

    // MARK: Details

    /// Bytes that may be ahead of the reader.
    private var window: UInt64 {
        if isSure { return aheadBytesMax }
        let start = Self.windowBytes[min(foundCount, Self.foundCountMin)]
        let used = foundCount >= Self.foundCountMin ? 2 * usedBytes : 0
        return min(start + used, aheadBytesMax)
    }

    private mutating func use(_ bytes: Range<UInt64>, of index: Int) {
        let newBytes = min(UInt64(bytes.count), steps[index].unreadBytes)
        if steps[index].readBytes == 0,
            isTrusted || index < foundCount + Self.headStepCount
        {
            foundCount += 1
        }
        steps[index].readBytes += newBytes
        usedBytes += newBytes
        if steps[index].isAhead { aheadBytes -= newBytes }
    }

    private mutating func judge(_ isMatch: Bool) {
        outcomes = outcomes << 1 | (isMatch ? 1 : 0)
        judgedCount = min(judgedCount + 1, Self.judgedCountMax)
        let countMin = isSure ? Self.judgedCountMax : Self.judgedCountMin
        hasLeft = judgedCount >= countMin && outcomes.nonzeroBitCount * 4 < judgedCount
    }

    /// The next step that was not given out and that the reader has not come by yet, from `next` on and
    /// then from the start.
    private mutating func nextOpen() -> Int? {
        for start in [next, firstOpen] {
            var index = start
            while index < steps.count {
                if steps[index].unreadBytes == 0 { steps[index].isGiven = true }
                if !steps[index].isGiven { break }
                index += 1
            }
            if start == firstOpen { firstOpen = index }
            if index < steps.count {
                next = index
                return index
            }
        }
        return nil
    }

    private func steps(of content: ContentID, touching bytes: Range<UInt64>) -> ArraySlice<Int> {
        guard let indexes = places[content] else { return [] }
        var (low, high) = (0, indexes.count)
        while low < high {
            let middle = (low + high) / 2
            if steps[indexes[middle]].bytes.upperBound > bytes.lowerBound {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return indexes[low...].prefix { steps[$0].bytes.lowerBound < bytes.upperBound }
    }
}
