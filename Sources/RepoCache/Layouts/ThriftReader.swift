/// Reads Thrift's compact protocol, as far as Parquet's footers use it.
///
/// Every value takes a byte at least, so that no length can promise more work than there are bytes.
/// Source: Apache Thrift, "Thrift compact protocol encoding".
struct ThriftReader {
    enum Kind: UInt8 {
        case yes = 1
        case no = 2
        case byte = 3
        case int16 = 4
        case int32 = 5
        case int64 = 6
        case double = 7
        case binary = 8
        case list = 9
        case set = 10
        case map = 11
        case structure = 12
        case uuid = 13
    }

    struct Field {
        let id: Int16
        let kind: Kind
    }

    /// Structures within each other; Parquet has five.
    private static let depthMax = 16

    private var cursor: ByteCursor

    init(_ cursor: ByteCursor) { self.cursor = cursor }

    /// The next field of a structure; nil at its end.
    ///
    /// - Parameter last: The field before it in this structure, 0 for none.
    mutating func field(after last: inout Int16) throws(LayoutFault) -> Field? {
        let head = try cursor.byte()
        if head == 0 { return nil }
        let kind = try Self.kind(head & 15)
        let step = Int64(head >> 4)
        let id = step == 0 ? try signed() : Int64(last) + step
        guard let id = Int16(exactly: id) else { throw .malformed }
        last = id
        return Field(id: id, kind: kind)
    }

    /// The length of a list of structures, which follow.
    mutating func listOfStructures(_ field: Field) throws(LayoutFault) -> UInt64 {
        guard field.kind == .list else { throw .malformed }
        let list = try listHead()
        guard list.count == 0 || list.kind == .structure else { throw .malformed }
        return list.count
    }

    /// A number that is not negative.
    mutating func unsigned(_ field: Field) throws(LayoutFault) -> UInt64 {
        guard [.int16, .int32, .int64].contains(field.kind),
            let number = UInt64(exactly: try signed())
        else { throw .malformed }
        return number
    }

    /// Passes over the value of a field.
    mutating func skip(_ kind: Kind) throws(LayoutFault) {
        // A field's kind is all there is of a truth value.
        if kind != .yes, kind != .no { try skipElement(kind, depth: 0) }
    }

    private mutating func skipElement(_ kind: Kind, depth: Int) throws(LayoutFault) {
        guard depth < Self.depthMax else { throw .malformed }
        switch kind {
        case .yes, .no, .byte: try cursor.skip(1)
        case .int16, .int32, .int64: _ = try number()
        case .double: try cursor.skip(8)
        case .uuid: try cursor.skip(16)
        case .binary: try cursor.skip(try number())
        case .list, .set:
            let list = try listHead()
            for _ in 0..<list.count { try skipElement(list.kind, depth: depth + 1) }
        case .map:
            let count = try number()
            guard count > 0 else { return }
            let kinds = try cursor.byte()
            let (key, value) = (try Self.kind(kinds >> 4), try Self.kind(kinds & 15))
            guard count <= cursor.rest else { throw .malformed }
            for _ in 0..<count {
                try skipElement(key, depth: depth + 1)
                try skipElement(value, depth: depth + 1)
            }
        case .structure:
            var last: Int16 = 0
            while let field = try self.field(after: &last) {
                if field.kind == .yes || field.kind == .no { continue }
                try skipElement(field.kind, depth: depth + 1)
            }
        }
    }

    private mutating func listHead() throws(LayoutFault) -> (count: UInt64, kind: Kind) {
        let head = try cursor.byte()
        let count = head >> 4 == 15 ? try number() : UInt64(head >> 4)
        guard count <= cursor.rest else { throw .malformed }
        return (count, try Self.kind(head & 15))
    }

    private static func kind(_ code: UInt8) throws(LayoutFault) -> Kind {
        guard let kind = Kind(rawValue: code) else { throw .malformed }
        return kind
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    private mutating func number() throws(LayoutFault) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            let byte = try cursor.byte()
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw .malformed
    }

    /// Numbers with a sign have it in the lowest bit.
    private mutating func signed() throws(LayoutFault) -> Int64 {
        let number = try self.number()
        return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
    }
}
