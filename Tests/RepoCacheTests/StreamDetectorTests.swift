import Platform
import Testing

@testable import RepoCache

@Suite struct StreamDetectorTests {
    private static let size: UInt64 = 1 << 30
    private static let step: UInt64 = 128 << 10

    private func detector(_ policy: ReadaheadPolicy = ReadaheadPolicy()) -> StreamDetector {
        StreamDetector(size: Self.size, policy: policy)
    }

    @Test func theWindowIsSmallFirstAndNeverLargerThanWhatWasRead() {
        let policy = ReadaheadPolicy()
        var previous: UInt64 = 0
        for consumed in stride(from: 256 << 10, to: 256 << 20, by: 64 << 10) as StrideTo<UInt64> {
            let window = policy.windowBytes(
                consumedBytes: consumed, readCount: 2, isFromHead: false)!
            #expect(window <= consumed && window >= previous)
            #expect(window <= policy.windowBytesMax)
            if consumed <= policy.quietBytes { #expect(window == policy.startBytes) }
            let chunk = policy.chunkBytes(windowBytes: window)
            #expect((policy.chunkBytesMin...policy.chunkBytesMax).contains(chunk))
            previous = window
        }
        #expect(previous == policy.windowBytesMax)
    }

    /// The round trips until a stream has its largest window, if each brings one window: what the
    /// first second at a distance of 50 ms is made of.
    @Test(arguments: [(isFromHead: true, countMax: 4), (isFromHead: false, countMax: 9)])
    func theWindowIsAtItsLargestAfterFewRoundTrips(_ stream: (isFromHead: Bool, countMax: Int)) {
        let policy = ReadaheadPolicy()
        // The kernel reads ahead by itself, a MiB at a time.
        var consumed: UInt64 = 1 << 20
        var count = 0
        while count < 100 {
            let window = policy.windowBytes(
                consumedBytes: consumed, readCount: 1 + count, isFromHead: stream.isFromHead)
            if window == policy.windowBytesMax { break }
            consumed += max(window ?? 0, 1 << 20)
            count += 1
        }
        #expect(count <= stream.countMax)
    }

    @Test func aLargeFirstReadOfAFileIsReadAheadByItsOwnSize() {
        var whole = detector()
        #expect(whole.read(0..<1 << 20, now: .start).wish?.bytes == 1 << 20..<2 << 20)
        var header = detector()
        #expect(header.read(0..<128 << 10, now: .start).wish == nil)
        var elsewhere = detector()
        #expect(elsewhere.read(1 << 20..<2 << 20, now: .start).wish == nil)
    }

    @Test func aSequentialReaderIsReadAheadWithoutGapsOrOverlap() {
        var detector = detector()
        var asked: UInt64 = 0
        for offset in stride(from: 0, to: Self.size, by: Int(Self.step)) as StrideTo<UInt64> {
            let (wish, ended) = detector.read(offset..<offset + Self.step, now: .start)
            #expect(ended.isEmpty)
            guard let wish else { continue }
            #expect(wish.bytes.lowerBound == max(asked, offset + Self.step))
            asked = wish.bytes.upperBound
            detector.requested(wish.stream, upTo: asked)
        }
        #expect(asked == Self.size)
    }

    @Test func eightReadersOfOneContentAreEightStreams() {
        var detector = detector()
        var streams: Set<Int> = []
        for round in 0..<64 as Range<UInt64> {
            for reader in 0..<8 as Range<UInt64> {
                let start = reader * (Self.size / 8) + round * Self.step
                let (wish, ended) = detector.read(start..<start + Self.step, now: .start)
                #expect(ended.isEmpty)
                guard let wish else { continue }
                streams.insert(wish.stream)
                detector.requested(wish.stream, upTo: wish.bytes.upperBound)
            }
        }
        #expect(streams.count == 8)
    }

    @Test func randomReadsAreNotReadAhead() {
        var detector = detector()
        var random = SplitMix(state: 7)
        for _ in 0..<5000 {
            let offset = random.next() % (Self.size / 4096) * 4096
            #expect(detector.read(offset..<offset + 4096, now: .start).wish == nil)
        }
    }

    @Test func theSameReadAgainIsNoStream() {
        var detector = detector()
        for _ in 0..<10 { #expect(detector.read(0..<Self.step, now: .start).wish == nil) }
    }

    @Test func readsThatOvertakeEachOtherAreOneStream() {
        var detector = detector()
        var streams: Set<Int> = []
        for pair in 0..<100 as Range<UInt64> {
            for half in [1, 0] as [UInt64] {
                let offset = (2 * pair + half) * Self.step
                guard let wish = detector.read(offset..<offset + Self.step, now: .start).wish else {
                    continue
                }
                streams.insert(wish.stream)
                detector.requested(wish.stream, upTo: wish.bytes.upperBound)
            }
        }
        #expect(streams.count == 1)
    }

    @Test func aStreamThatIsLeftEnds() {
        var detector = detector()
        var stream: Int?
        for index in 0..<16 as Range<UInt64> {
            let offset = index * Self.step
            guard let wish = detector.read(offset..<offset + Self.step, now: .start).wish else {
                continue
            }
            stream = wish.stream
            detector.requested(wish.stream, upTo: wish.bytes.upperBound)
        }
        func readElsewhere(at now: MonotonicInstant, from start: UInt64) -> Set<Int> {
            var ended: Set<Int> = []
            for index in 0..<100 as Range<UInt64> {
                let offset = start + index * Self.step
                ended.formUnion(detector.read(offset..<offset + Self.step, now: now).ended)
            }
            return ended
        }
        // So soon, its reader may just not have had a processor.
        #expect(readElsewhere(at: .start, from: Self.size / 2).isEmpty)
        let later = MonotonicInstant.start.advanced(bySeconds: 1)
        let ended = readElsewhere(at: later, from: Self.size / 4)
        #expect(stream != nil && ended.contains(stream!))
    }

    /// Issue: threads that each take the next MiB were never read ahead.
    @Test(arguments: [2, 4, 16] as [UInt64])
    func threadsThatTakeTurnsBecomeOneStream(_ threadCount: UInt64) {
        var detector = detector()
        let turn: UInt64 = 1 << 20
        var asked: UInt64 = 0
        for round in 0..<16 as Range<UInt64> {
            for step in stride(from: 0, to: turn, by: Int(Self.step)) {
                for thread in 0..<threadCount {
                    let offset = (round * threadCount + thread) * turn + step
                    guard
                        let wish = detector.read(offset..<offset + Self.step, now: .start).wish
                    else { continue }
                    detector.requested(wish.stream, upTo: wish.bytes.upperBound)
                    asked = max(asked, wish.bytes.upperBound)
                }
            }
        }
        let end = 16 * threadCount * turn
        #expect(asked >= end + end / 5)
    }

    /// Issue: loading one tensor of a model must not fetch much more than the tensor.
    @Test func ashortStreamOvershootsByTheSmallWindow() {
        for tensorBytes in [64 << 10, 1 << 20, 2_359_296, 4 << 20] as [UInt64] {
            var detector = detector()
            let start = Self.size / 2
            let end = start + tensorBytes
            var asked: UInt64 = 0
            for offset in stride(from: start, to: end, by: Int(Self.step)) as StrideTo<UInt64> {
                let read = offset..<min(offset + Self.step, end)
                guard let wish = detector.read(read, now: .start).wish else { continue }
                asked = wish.bytes.upperBound
                detector.requested(wish.stream, upTo: asked)
            }
            #expect(asked <= end + 256 << 10)
        }
    }
}

extension MonotonicInstant {
    /// Some time: what matters here is what has passed since.
    static let start = MonotonicInstant(nanoseconds: 1_000_000_000)
}
