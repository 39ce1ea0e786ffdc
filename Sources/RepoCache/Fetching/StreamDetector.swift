import Platform

/// Finds sequential readers among the reads of one content, whoever sends them.
///
/// Loaders share one descriptor between processes, so handles say nothing: eight processes each
/// reading an eighth are eight streams here. The kernel sends the reads of one stream several at
/// a time and not always in order, so a read that lands a little before or behind the expected
/// place still belongs to it. Threads that take turns at one stream look like many short ones, until
/// each reaches the start of the next: then they are one.
///
/// Pure; its owner calls it under a lock.
struct StreamDetector {
    /// What a stream wants fetched ahead.
    struct Wish: Equatable {
        /// The stream's number, never used again.
        let stream: Int
        let bytes: Range<UInt64>
        /// Largest range of one request.
        let chunkBytes: UInt64
    }

    private struct Stream {
        var number: Int
        let start: UInt64
        /// End of the furthest read: where the next one is expected.
        var next: UInt64
        var readCount = 1
        /// End of what was asked for on this stream's behalf.
        var requested: UInt64
        /// Value of `readCount` of the detector when it was last read, and the time.
        var lastRead: Int
        var lastReadAt: MonotonicInstant

        var consumedBytes: UInt64 { next - start }
    }

    /// Streams watched at once; the 8 workers of a loader and some random readers beside them.
    static let streamCountMax = 32
    /// Reads of others after which a stream counts as left.
    static let idleReadCountMax = 64 * streamCountMax
    /// A single reader that seeks leaves its stream much sooner: by this many reads per stream, if
    /// they took this long. One of several readers may just not have had a processor meanwhile.
    static let leftReadCountMax = 32
    static let leftSeconds = 0.5

    /// What the kernel may read around a place on its own: a part's end this close to a stream's
    /// start is not where the stream stops, and reads up to twice this far beyond an end do not yet
    /// show that it goes on.
    static let kernelReadaheadBytes: UInt64 = 1 << 20
    /// One read of the kernel. The one that has a part's last page may be for so much behind it too,
    /// and the reader waits for all of it: so that is fetched with the part.
    static let kernelReadBytes: UInt64 = 128 << 10
    static let pageBytes: UInt64 = 4096

    private let size: UInt64
    private let policy: ReadaheadPolicy
    /// Whether the file begins with a header that its reader needs first.
    private let hasHeader: Bool
    /// Where streams may stop, once the file has told.
    var layout: PartLayout?
    private var streams: [Stream] = []
    private var readCount = 0
    private var lastNumber = 0

    /// - Parameters:
    ///   - size: Bytes of the content.
    ///   - hasHeader: It begins with a header that its reader needs first, of unknown length.
    init(size: UInt64, policy: ReadaheadPolicy, hasHeader: Bool = false) {
        self.size = size
        self.policy = policy
        self.hasHeader = hasHeader
    }

    /// Takes note of a read at this time.
    ///
    /// - Returns: what to fetch ahead because of it, and the streams that were left: what was
    ///   fetched ahead for them is not wanted any more.
    mutating func read(
        _ bytes: Range<UInt64>, now: MonotonicInstant
    ) -> (wish: Wish?, ended: Set<Int>) {
        guard !bytes.isEmpty else { return (nil, []) }
        readCount += 1
        guard let index = streams.firstIndex(where: { Self.continues($0, bytes) }) else {
            let ended = open(at: bytes, now: now)
            return (
                headerWish(at: bytes) ?? partWish(at: bytes)
                    ?? streams.last.flatMap { wish(of: $0) }, ended
            )
        }
        streams[index].lastRead = readCount
        streams[index].lastReadAt = now
        // Read again, as after a wait, or late: no sign of where the reader goes.
        guard bytes.upperBound > streams[index].next else { return (nil, endLeftStreams(now)) }
        streams[index].readCount += 1
        streams[index].next = max(streams[index].next, bytes.upperBound)
        return (wish(of: join(index)), endLeftStreams(now))
    }

    /// Records that everything up to `end` was asked for on behalf of a stream.
    mutating func requested(_ stream: Int, upTo end: UInt64) {
        guard let index = streams.firstIndex(where: { $0.number == stream }) else { return }
        streams[index].requested = max(streams[index].requested, end)
    }

    /// Bytes in a row that the stream has read whose furthest read ends here; 0 when none does.
    func consumedBytes(upTo end: UInt64) -> UInt64 {
        streams.first { $0.next == end }?.consumedBytes ?? 0
    }

    /// What all streams still want, after a budget had refused some of it.
    func wishes() -> [Wish] { streams.compactMap { wish(of: $0) } }

    /// Makes a stream and those that it has reached one, which goes by the number of the longest.
    /// What was fetched ahead for the others lies ahead of it too.
    ///
    /// - Returns: the stream as it is then.
    private mutating func join(_ index: Int) -> Stream {
        var stream = streams.remove(at: index)
        while let next = streams.firstIndex(where: {
            $0.start > stream.start && $0.start <= stream.next && $0.next > stream.next
        }) {
            let other = streams.remove(at: next)
            if other.readCount >= stream.readCount { stream.number = other.number }
            stream.next = other.next
            stream.readCount += other.readCount
            stream.requested = max(stream.requested, other.requested)
        }
        stream.requested = max(stream.requested, stream.next)
        streams.insert(stream, at: min(index, streams.count))
        return stream
    }

    /// A read continues a stream when it starts where the last ended, or out of order by no more
    /// than its own length.
    private static func continues(_ stream: Stream, _ bytes: Range<UInt64>) -> Bool {
        let slack = UInt64(bytes.count)
        return bytes.lowerBound <= stream.next + slack
            && bytes.upperBound + slack >= stream.next
            && bytes.lowerBound >= stream.start
    }

    private func wish(of stream: Stream) -> Wish? {
        let window = policy.windowBytes(
            consumedBytes: stream.consumedBytes, readCount: stream.readCount,
            isFromHead: stream.start == 0)
        guard let window else { return nil }
        let chunk = policy.chunkBytes(windowBytes: window)
        let limit = limit(of: stream)
        let end = min(stream.next + window, limit)
        guard end > stream.requested else { return nil }
        // Small steps would be small requests: wait until a whole chunk is wanted, or the end.
        guard end - stream.requested >= chunk || end == limit else { return nil }
        return Wish(stream: stream.number, bytes: stream.requested..<end, chunkBytes: chunk)
    }

    /// Whoever looks at the start of a header reads the rest of it next.
    private func headerWish(at bytes: Range<UInt64>) -> Wish? {
        let end = min(policy.headerBytes, size)
        guard hasHeader, layout == nil, bytes.lowerBound == 0, end > bytes.upperBound,
            let stream = streams.last
        else { return nil }
        return Wish(
            stream: stream.number, bytes: bytes.upperBound..<end, chunkBytes: policy.headerBytes)
    }

    /// What the first read of a stream already tells: it begins a tensor, or another part, and so wants
    /// it.
    ///
    /// A fault in a mapping is read around by the kernel, half before the page that was touched and
    /// half behind its start: so the middle tells which of two parts is meant. Of a page that both
    /// are in, the second is believed to be: the first would have been read from its own start.
    private func partWish(at bytes: Range<UInt64>) -> Wish? {
        let middle = bytes.lowerBound + UInt64(bytes.count) / 2 + Self.pageBytes - 1
        guard let stream = streams.last, let part = layout?.part(at: middle),
            bytes.contains(part.lowerBound)
        else { return nil }
        let end = min(
            part.upperBound + Self.kernelReadBytes, part.lowerBound + policy.partBytesMax, size)
        guard part.upperBound > bytes.upperBound, end > bytes.upperBound else { return nil }
        return Wish(
            stream: stream.number, bytes: bytes.upperBound..<end,
            chunkBytes: policy.chunkBytes(partBytes: UInt64(part.count)))
    }

    /// How far a stream may be read ahead: as far as the kernel reads at the end of the part it is in,
    /// until it has gone on beyond one; then it reads the file, not a part.
    private func limit(of stream: Stream) -> UInt64 {
        let slack = Self.kernelReadaheadBytes
        guard let end = layout?.end(after: stream.start + slack), stream.next <= end + 2 * slack
        else { return size }
        return min(end + Self.kernelReadBytes, size)
    }

    private mutating func open(at bytes: Range<UInt64>, now: MonotonicInstant) -> Set<Int> {
        var ended: Set<Int> = []
        if streams.count == Self.streamCountMax {
            ended.insert(streams.remove(at: victim()).number)
        }
        lastNumber += 1
        streams.append(
            Stream(
                number: lastNumber, start: bytes.lowerBound, next: bytes.upperBound,
                requested: bytes.upperBound, lastRead: readCount,
                lastReadAt: now))
        return ended.union(endLeftStreams(now))
    }

    /// The stream to give up: the oldest that never became one, unless a real one was left.
    private func victim() -> Int {
        func rank(_ stream: Stream) -> (Int, Int) {
            let isReal = stream.readCount >= policy.readCountMin
            let isLeft = readCount - stream.lastRead > Self.idleReadCountMax
            return (isReal && !isLeft ? 1 : 0, stream.lastRead)
        }
        return streams.indices.min { rank(streams[$0]) < rank(streams[$1]) }!
    }

    private mutating func endLeftStreams(_ now: MonotonicInstant) -> Set<Int> {
        let real = streams.filter { $0.readCount >= policy.readCountMin }
        let patience = Self.leftReadCountMax * max(real.count, 1)
        let left = real.filter {
            readCount - $0.lastRead > patience
                && now.seconds(since: $0.lastReadAt) > Self.leftSeconds
        }
        guard !left.isEmpty else { return [] }
        let numbers = Set(left.map(\.number))
        streams.removeAll { numbers.contains($0.number) }
        return numbers
    }
}
