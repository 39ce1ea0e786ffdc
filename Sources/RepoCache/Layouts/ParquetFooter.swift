/// Where the column chunks of a Parquet file lie: the values of one column in one group of rows, which
/// is what is read at a time.
///
/// | offset from the end | size | meaning |
/// |---|---|---|
/// | 8 + n | n | FileMetaData, in Thrift's compact protocol |
/// | 8 | 4 | n, little-endian |
/// | 4 | 4 | magic "PAR1" |
///
/// Of the metadata only what leads to the places is looked at. Source: parquet-format, `parquet.thrift`.
struct ParquetFooter: LayoutReader {
    let isAtStart = false
    /// Longer footers are not looked at.
    static let byteCountMax: UInt64 = 16 << 20
    static let chunkCountMax = 1 << 18
    private static let tailBytes: UInt64 = 8
    private static let magic: UInt32 = 0x3152_4150

    func read(_ file: PresentBytes) throws(LayoutFault) -> PartLayout {
        guard file.size > Self.tailBytes else { throw .malformed }
        let end = file.size - Self.tailBytes
        var tail = ByteCursor(file, end..<file.size)
        let length = UInt64(try tail.integer(UInt32.self))
        guard try tail.integer(UInt32.self) == Self.magic,
            length <= min(Self.byteCountMax, end)
        else { throw .malformed }
        let start = end - length
        var thrift = ThriftReader(ByteCursor(file, start..<end))
        let chunks = try Self.chunks(&thrift)
        guard let first = chunks.map(\.lowerBound).min(),
            chunks.allSatisfy({ $0.upperBound <= start })
        else { throw .malformed }
        return PartLayout(dataStart: first, ends: chunks.map(\.upperBound))
    }

    /// FileMetaData: field 4 is the list of row groups.
    private static func chunks(
        _ thrift: inout ThriftReader
    ) throws(LayoutFault) -> [Range<UInt64>] {
        var chunks: [Range<UInt64>] = []
        var last: Int16 = 0
        while let field = try thrift.field(after: &last) {
            guard field.id == 4 else {
                try thrift.skip(field.kind)
                continue
            }
            for _ in 0..<(try thrift.listOfStructures(field)) {
                try readRowGroup(&thrift, into: &chunks)
            }
        }
        return chunks
    }

    /// RowGroup: field 1 is the list of column chunks.
    private static func readRowGroup(
        _ thrift: inout ThriftReader, into chunks: inout [Range<UInt64>]
    ) throws(LayoutFault) {
        var last: Int16 = 0
        while let field = try thrift.field(after: &last) {
            guard field.id == 1 else {
                try thrift.skip(field.kind)
                continue
            }
            for _ in 0..<(try thrift.listOfStructures(field)) {
                guard let chunk = try Self.chunk(&thrift) else { continue }
                guard chunks.count < chunkCountMax else { throw .malformed }
                chunks.append(chunk)
            }
        }
    }

    /// ColumnChunk: field 1 names another file that the chunk is in, 3 is its metadata. Nil when the
    /// chunk is elsewhere or encrypted.
    private static func chunk(
        _ thrift: inout ThriftReader
    ) throws(LayoutFault) -> Range<UInt64>? {
        var place: Range<UInt64>?
        var isElsewhere = false
        var last: Int16 = 0
        while let field = try thrift.field(after: &last) {
            if field.id == 3, field.kind == .structure {
                place = try chunkPlace(&thrift)
            } else {
                isElsewhere = isElsewhere || field.id == 1
                try thrift.skip(field.kind)
            }
        }
        return isElsewhere ? nil : place
    }

    /// ColumnMetaData: field 7 is the bytes of all pages, 9 and 11 where the first page of data and
    /// that of the dictionary are, of which one begins the chunk.
    private static func chunkPlace(
        _ thrift: inout ThriftReader
    ) throws(LayoutFault) -> Range<UInt64> {
        var byteCount: UInt64?
        var start: UInt64?
        var last: Int16 = 0
        while let field = try thrift.field(after: &last) {
            switch field.id {
            case 7: byteCount = try thrift.unsigned(field)
            case 9, 11:
                // Some writers say 0 for no dictionary.
                let offset = try thrift.unsigned(field)
                if offset > 0 { start = min(start ?? offset, offset) }
            default: try thrift.skip(field.kind)
            }
        }
        guard let start, let byteCount else { throw .malformed }
        let (end, isOverflow) = start.addingReportingOverflow(byteCount)
        guard !isOverflow else { throw .malformed }
        return start..<end
    }
}
