import Testing
import WriteBack

/// The map against a plain array of what each byte is.
@Suite struct ExtentMapTests {
    @Test func aMapOfExtentsIsAnArrayOfBytes() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var map = ExtentMap()
            var stored: [UInt64: ExtentMap.Extent] = [:]
            var bytes = [ExtentMap.Kind?](repeating: nil, count: 64)
            for _ in 0..<40 {
                let start = UInt64.random(in: 0..<64, using: &generator)
                let end = UInt64.random(in: start...64, using: &generator)
                let delta: ExtentMap.Delta
                if Int.random(in: 0..<8, using: &generator) == 0 {
                    delta = map.cut(at: start)
                    for index in start..<64 { bytes[Int(index)] = nil }
                } else {
                    let kind: ExtentMap.Kind = Bool.random(using: &generator) ? .dirty : .zero
                    delta = map.set(start..<end, to: kind)
                    for index in start..<end { bytes[Int(index)] = kind }
                }
                for start in delta.removedStarts { stored[start] = nil }
                for extent in delta.changed { stored[extent.bytes.lowerBound] = extent }
                #expect(Self.expand(map) == bytes)
                #expect(ExtentMap(stored: map.extents) != nil)
                for (left, right) in zip(map.extents, map.extents.dropFirst()) {
                    #expect(
                        left.bytes.upperBound < right.bytes.lowerBound || left.kind != right.kind)
                }
                let journal = stored.values.sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }
                #expect(journal == map.extents)
            }
        }
    }

    @Test func piecesCoverTheRangeInOrder() {
        var map = ExtentMap()
        _ = map.set(4..<8, to: .dirty)
        _ = map.set(12..<16, to: .zero)
        #expect(
            map.pieces(of: 2..<20) == [
                ExtentMap.Piece(bytes: 2..<4, kind: nil),
                ExtentMap.Piece(bytes: 4..<8, kind: .dirty),
                ExtentMap.Piece(bytes: 8..<12, kind: nil),
                ExtentMap.Piece(bytes: 12..<16, kind: .zero),
                ExtentMap.Piece(bytes: 16..<20, kind: nil),
            ])
        #expect(map.pieces(of: 5..<7) == [ExtentMap.Piece(bytes: 5..<7, kind: .dirty)])
        #expect(map.dirtyBytes == 4)
    }

    @Test func storedExtentsThatOverlapAreRefused() {
        #expect(
            ExtentMap(stored: [
                ExtentMap.Extent(bytes: 0..<5, kind: .dirty),
                ExtentMap.Extent(bytes: 4..<6, kind: .zero),
            ]) == nil)
        #expect(ExtentMap(stored: [ExtentMap.Extent(bytes: 3..<3, kind: .dirty)]) == nil)
    }

    private static func expand(_ map: ExtentMap) -> [ExtentMap.Kind?] {
        map.pieces(of: 0..<64).flatMap { piece in
            [ExtentMap.Kind?](repeating: piece.kind, count: piece.bytes.count)
        }
    }
}
