package import HubClient

/// The ranges of a commit's files in the order in which they were first read.
///
/// What adjoins a range that was read lately makes that one longer, so that a file read to its end is a few
/// ranges, and files read in turns are still taken in turns. No byte is in it twice. When it is full,
/// nothing more is taken: what was read first is what a later mount needs first.
package struct ReadOrder: Equatable, Sendable {
    /// A file that was read.
    package struct File: Hashable, Sendable {
        /// From the root of the repo.
        package let path: String
        package let content: ContentID
        package let size: UInt64
    }

    /// A range of one file.
    struct Span: Hashable, Sendable {
        /// Its place in `files`.
        let file: Int
        fileprivate(set) var bytes: Range<UInt64>
    }

    /// Ranges at most. With the longest ones that is 64 GiB, about 1 MB of memory, and 2 MB as a text.
    static let spanCountMax = 8192
    /// Bytes of one range at most: as finely are files told apart that were read in turns.
    static let spanBytesMax: UInt64 = 8 << 20
    /// Bytes of the text at most, as far as paths decide them.
    static let textBytesMax = 2 << 20
    /// More than a line of the text takes besides its path.
    private static let lineBytes = 160
    /// Ranges that may still become longer: so many readers at once.
    private static let openCount = 8

    package let repo: RepoID
    package let commit: CommitOID
    private(set) var files: [File] = []
    private(set) var spans: [Span] = []
    /// Bytes of all ranges.
    private(set) var byteCount: UInt64 = 0
    private(set) var isFull = false
    private var numbers: [ContentID: Int] = [:]
    /// Of each file its ranges, in the order of their bytes.
    private var places: [[Int]] = []
    private var textBytes = 0

    init(repo: RepoID, commit: CommitOID) {
        self.repo = repo
        self.commit = commit
    }

    /// Takes note of a read.
    ///
    /// - Returns: those parts of it that were not read before.
    mutating func add(_ bytes: Range<UInt64>, of file: File) -> [Range<UInt64>] {
        guard !isFull else { return [] }
        let number = numbers[file.content] ?? insert(file)
        let parts = missing(bytes, in: number)
        for part in parts { append(part, to: number) }
        return parts
    }

    /// This order, and behind it what only another one has.
    func followed(by other: ReadOrder) -> ReadOrder {
        var order = self
        for span in other.spans { _ = order.add(span.bytes, of: other.files[span.file]) }
        return order
    }

    /// What to keep after a mount.
    ///
    /// What was read now stands first if it was at least half as much as what is known, or something else
    /// and at least a 64th: then programs do otherwise by now. A look at some files leaves the order as it was.
    ///
    /// - Parameters:
    ///   - known: What earlier mounts of the commit have left.
    ///   - isOther: What was read did not go by `known`.
    func merged(with known: ReadOrder?, isOther: Bool) -> ReadOrder {
        guard let known else { return self }
        return byteCount >= known.byteCount / (isOther ? 64 : 2)
            ? followed(by: known) : known.followed(by: self)
    }

    // MARK: Details

    private mutating func insert(_ file: File) -> Int {
        numbers[file.content] = files.count
        files.append(file)
        places.append([])
        return files.count - 1
    }

    /// The parts of a range that are in none.
    private func missing(_ bytes: Range<UInt64>, in file: Int) -> [Range<UInt64>] {
        var parts: [Range<UInt64>] = []
        var start = bytes.lowerBound
        for place in firstPlace(endingAfter: start, in: file)..<places[file].count {
            let found = spans[places[file][place]].bytes
            if found.lowerBound >= bytes.upperBound { break }
            if found.lowerBound > start { parts.append(start..<found.lowerBound) }
            start = found.upperBound
        }
        if start < bytes.upperBound { parts.append(start..<bytes.upperBound) }
        return parts
    }

    /// Takes in a range of which nothing is in yet.
    private mutating func append(_ bytes: Range<UInt64>, to file: Int) {
        var start = bytes.lowerBound
        while start < bytes.upperBound, !isFull {
            let place = firstPlace(endingAfter: start, in: file)
            let left = place > 0 ? places[file][place - 1] : nil
            let right = place < places[file].count ? places[file][place] : nil
            if let left, isOpen(left), spans[left].bytes.upperBound == start {
                let room = Self.spanBytesMax - UInt64(spans[left].bytes.count)
                let end = min(bytes.upperBound, start + room)
                spans[left].bytes = spans[left].bytes.lowerBound..<end
                count(start..<end, &start)
            } else if let right, isOpen(right), spans[right].bytes.lowerBound == bytes.upperBound,
                spans[right].bytes.upperBound - start <= Self.spanBytesMax
            {
                spans[right].bytes = start..<spans[right].bytes.upperBound
                count(start..<bytes.upperBound, &start)
            } else {
                let end = min(bytes.upperBound, start + Self.spanBytesMax)
                guard mayBegin(in: file) else { return }
                places[file].insert(spans.count, at: place)
                spans.append(Span(file: file, bytes: start..<end))
                count(start..<end, &start)
            }
        }
    }

    private mutating func count(_ bytes: Range<UInt64>, _ start: inout UInt64) {
        byteCount += UInt64(bytes.count)
        start = bytes.upperBound
    }

    private mutating func mayBegin(in file: Int) -> Bool {
        textBytes += Self.lineBytes + files[file].path.utf8.count
        isFull = spans.count == Self.spanCountMax || textBytes > Self.textBytesMax
        return !isFull
    }

    private func isOpen(_ span: Int) -> Bool {
        span + Self.openCount >= spans.count
            && UInt64(spans[span].bytes.count) < Self.spanBytesMax
    }

    /// The first of a file's places whose range ends behind `offset`.
    private func firstPlace(endingAfter offset: UInt64, in file: Int) -> Int {
        var low = 0
        var high = places[file].count
        while low < high {
            let middle = (low + high) / 2
            if spans[places[file][middle]].bytes.upperBound > offset {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}
