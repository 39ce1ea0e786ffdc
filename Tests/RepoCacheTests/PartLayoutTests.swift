import Testing

@testable import RepoCache

@Suite struct PartLayoutTests {
    /// A layout of tensors of so many bytes, behind a header.
    private func layout(mebibytes: [UInt64]) -> PartLayout {
        var ends: [UInt64] = []
        for count in mebibytes { ends.append((ends.last ?? 4321) + count << 20) }
        return PartLayout(dataStart: 4321, ends: ends)
    }

    @Test func partsAreFoundByWhatIsInThem() {
        let layout = PartLayout(dataStart: 50, ends: [400, 150, 350])
        #expect(layout.ends == [150, 350, 400])
        #expect(layout.end(after: 0) == 150)
        #expect(layout.end(after: 150) == 350)
        #expect(layout.end(after: 399) == 400)
        #expect(layout.end(after: 400) == nil)
        #expect(layout.part(at: 49) == nil)
        #expect(layout.part(at: 50) == 50..<150)
        #expect(layout.part(at: 349) == 150..<350)
        #expect(layout.part(at: 400) == nil)
    }

    @Test(
        "a file's name says what may be found in it",
        arguments: [
            ("model.safetensors", true), ("a/b.gguf", true), (".parquet", true),
            ("model.bin", false), ("gguf", false), ("safetensors.txt", false), ("", false),
        ])
    func names(path: String, isKnown: Bool) {
        #expect((layoutReader(forPath: path) != nil) == isKnown)
    }

    /// Reads a part by pieces from its start to its end, and counts what is wished for.
    private func wishedEnd(
        reading part: Range<UInt64>, of size: UInt64, _ layout: PartLayout?
    ) -> UInt64 {
        var detector = StreamDetector(size: size, policy: ReadaheadPolicy())
        detector.layout = layout
        var end: UInt64 = 0
        for start in stride(from: part.lowerBound, to: part.upperBound, by: 128 << 10) {
            let piece = start..<min(start + 128 << 10, part.upperBound)
            guard let wish = detector.read(piece, now: .start).wish else { continue }
            end = max(end, wish.bytes.upperBound)
            detector.requested(wish.stream, upTo: wish.bytes.upperBound)
        }
        return end
    }

    @Test func readaheadStopsAtTheEndOfThePart() {
        let layout = layout(mebibytes: [5, 40, 45])
        let size = layout.ends[2]
        let part = layout.ends[0]..<layout.ends[1]
        #expect(wishedEnd(reading: part, of: size, nil) > layout.ends[1])
        // The kernel's last read of it goes so far.
        #expect(wishedEnd(reading: part, of: size, layout) == layout.ends[1] + 128 << 10)
    }

    /// A page of a mapping that is touched is read with as much before it as behind it.
    @Test func whoTouchesTheFirstPageOfAPartWantsIt() {
        let layout = layout(mebibytes: [5, 40, 1])
        let around: UInt64 = 64 << 10
        func pageOf(_ offset: UInt64) -> UInt64 { offset / 4096 * 4096 }
        func wish(touching offset: UInt64) -> Range<UInt64>? {
            var detector = StreamDetector(size: layout.ends[2], policy: ReadaheadPolicy())
            detector.layout = layout
            let page = pageOf(offset)
            return detector.read(page - around..<page + around, now: .start).wish?.bytes
        }
        let (first, second) = (layout.ends[0], layout.ends[1])
        // Of a large one only a part, until more of it is read.
        #expect(wish(touching: first) == pageOf(first) + around..<first + 16 << 20)
        #expect(wish(touching: second) == pageOf(second) + around..<layout.ends[2])
        // The end of the one before, and the middle of one.
        #expect(wish(touching: first - 4096) == nil)
        #expect(wish(touching: first + 20 << 20) == nil)
    }

    /// What lies behind a part comes with it, as far as the kernel's last read of it goes, and no further.
    @Test func whoReadsAPartToItsEndDoesNotWaitForWhatIsBehindIt() {
        let layout = layout(mebibytes: [5, 5, 5])
        var detector = StreamDetector(size: layout.ends[2], policy: ReadaheadPolicy())
        detector.layout = layout
        let start = layout.ends[0] / 4096 * 4096
        let wish = detector.read(start..<start + 128 << 10, now: .start).wish
        #expect(wish?.bytes.upperBound == layout.ends[1] + 128 << 10)
    }

    @Test func aLookAtTheLengthBringsTheHeader() {
        func wish(_ read: Range<UInt64>, hasHeader: Bool = true) -> Range<UInt64>? {
            var detector = StreamDetector(
                size: 1 << 30, policy: ReadaheadPolicy(), hasHeader: hasHeader)
            return detector.read(read, now: .start).wish?.bytes
        }
        #expect(wish(0..<16384) == 16384..<256 << 10)
        #expect(wish(0..<16384, hasHeader: false) == nil)
        #expect(wish(4096..<16384) == nil)
    }

    @Test func aReaderOfTheWholeFileIsNotHeldUp() {
        let layout = layout(mebibytes: Array(repeating: 1, count: 90))
        #expect(wishedEnd(reading: 0..<(60 << 20), of: layout.ends[89], layout) == layout.ends[89])
    }
}
