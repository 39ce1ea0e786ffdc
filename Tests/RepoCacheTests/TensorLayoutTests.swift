import Testing

@testable import RepoCache

@Suite struct TensorLayoutTests {
    private func header(_ tensors: [(begin: Int, end: Int)]) -> [UInt8] {
        let rows = tensors.enumerated().map { index, tensor in
            """
            "t\(index)":{"dtype":"F32","shape":[1],"data_offsets":[\(tensor.begin),\(tensor.end)]}
            """
        }
        return Array("{\"__metadata__\":{\"format\":\"pt\"},\(rows.joined(separator: ","))}".utf8)
    }

    @Test func endsAreCountedFromTheStartOfTheFile() throws {
        let header = header([(0, 100), (300, 400), (100, 300)])
        let layout = try #require(TensorLayout(header: header))
        let start = UInt64(8 + header.count)
        #expect(layout.ends == [start + 100, start + 300, start + 400])
        #expect(layout.end(after: 0) == start + 100)
        #expect(layout.end(after: start + 100) == start + 300)
        #expect(layout.end(after: start + 399) == start + 400)
        #expect(layout.end(after: start + 400) == nil)
        #expect(layout.tensor(at: start - 1) == nil)
        #expect(layout.tensor(at: start) == start..<start + 100)
        #expect(layout.tensor(at: start + 299) == start + 100..<start + 300)
        #expect(layout.tensor(at: start + 400) == nil)
    }

    @Test(arguments: ["", "[]", "{\"a\":1}", "{\"a\":{\"data_offsets\":[1]}}", "{\"a\":{}}", "{"])
    func whatIsNoHeaderIsRefused(_ text: String) {
        #expect(TensorLayout(header: Array(text.utf8)) == nil)
    }

    @Test func aLengthBeyondReasonIsNoHeader() {
        func bytes(_ length: [UInt8]) -> UInt64? {
            length.withUnsafeBytes { TensorLayout.headerBytes($0) }
        }
        #expect(bytes([2, 1, 0, 0, 0, 0, 0, 0]) == 258)
        #expect(bytes([0, 0, 0, 0, 0, 0, 0, 0]) == nil)
        #expect(bytes([0, 0, 0, 0, 0, 0, 0, 0x7f]) == nil)
        #expect(bytes([1, 2, 3]) == nil)
    }

    /// Reads a tensor by pieces from its start to its end, and counts what is wished for.
    private func wishedEnd(
        reading tensor: Range<UInt64>, of size: UInt64, _ layout: TensorLayout?
    ) -> UInt64 {
        var detector = StreamDetector(size: size, policy: ReadaheadPolicy())
        detector.layout = layout
        var end: UInt64 = 0
        for start in stride(from: tensor.lowerBound, to: tensor.upperBound, by: 128 << 10) {
            let piece = start..<min(start + 128 << 10, tensor.upperBound)
            guard let wish = detector.read(piece, now: .start).wish else { continue }
            end = max(end, wish.bytes.upperBound)
            detector.requested(wish.stream, upTo: wish.bytes.upperBound)
        }
        return end
    }

    @Test func readaheadStopsAtTheEndOfTheTensor() throws {
        let header = header([(0, 5 << 20), (5 << 20, 45 << 20), (45 << 20, 90 << 20)])
        let layout = try #require(TensorLayout(header: header))
        let size = layout.ends[2]
        let tensor = layout.ends[0]..<layout.ends[1]
        #expect(wishedEnd(reading: tensor, of: size, nil) > layout.ends[1])
        #expect(wishedEnd(reading: tensor, of: size, layout) == layout.ends[1])
    }

    /// A page of a mapping that is touched is read with as much before it as behind it.
    @Test func whoTouchesTheFirstPageOfATensorWantsIt() throws {
        let header = header([(0, 5 << 20), (5 << 20, 45 << 20), (45 << 20, 46 << 20)])
        let layout = try #require(TensorLayout(header: header))
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
        #expect(wish(touching: second) == pageOf(second) + around..<second + 1 << 20)
        // The end of the one before, and the middle of one.
        #expect(wish(touching: first - 4096) == nil)
        #expect(wish(touching: first + 20 << 20) == nil)
    }

    @Test func aReaderOfTheWholeFileIsNotHeldUp() throws {
        let header = header((0..<90).map { (begin: $0 << 20, end: ($0 + 1) << 20) })
        let layout = try #require(TensorLayout(header: header))
        #expect(wishedEnd(reading: 0..<(60 << 20), of: layout.ends[89], layout) == layout.ends[89])
    }
}
