/// Where the tensors of a GGUF file lie.
///
/// ```
/// magic "GGUF", version u32, number of tensors u64, number of pairs u64
/// pairs:   key string, type u32, value        a string is its length u64 and its bytes;
///                                             an array is a type u32, its length u64 and the values
/// tensors: name string, n u32, n sizes u64, type u32, offset u64
/// padding to a multiple of general.alignment; from here on tensors' offsets are counted
/// ```
///
/// All numbers are little-endian. The header has no length of its own: it is read in order, and a
/// tokenizer's words can make it many MiB. So it is read as readers bring it, each byte once.
///
/// Source: the GGUF specification in the ggml repository, versions 2 and 3.
struct GGUFHeader: LayoutReader {
    let isAtStart = true
    /// A header that has not ended by then is given up.
    static let byteCountMax: UInt64 = 64 << 20
    static let tensorCountMax: UInt64 = 1 << 16
    static let pairCountMax: UInt64 = 1 << 16
    private static let dimensionCountMax: UInt32 = 8
    private static let alignmentKey = Array("general.alignment".utf8)

    private enum Kind {
        static let uint32: UInt32 = 4
        static let string: UInt32 = 8
        static let array: UInt32 = 9

        /// Bytes of a value; nil when that depends on the value, or there is no such type.
        static func byteCount(_ kind: UInt32) -> UInt64? {
            switch kind {
            case 0, 1, 7: 1
            case 2, 3: 2
            case 4, 5, 6: 4
            case 10, 11, 12: 8
            default: nil
            }
        }
    }

    private enum Next {
        case start
        case pairs
        /// The strings of an array.
        case strings
        case tensors
    }

    /// Where the next thing begins that was not read whole yet.
    private var position: UInt64 = 0
    private var next = Next.start
    private var pairsLeft: UInt64 = 0
    private var stringsLeft: UInt64 = 0
    private var tensorsLeft: UInt64 = 0
    private var alignment: UInt64 = 32
    private var offsets: [UInt64] = []

    mutating func read(_ file: PresentBytes) throws(LayoutFault) -> PartLayout {
        var cursor = ByteCursor(file, position..<max(position, Self.byteCountMax))
        while true {
            switch next {
            case .start: try readStart(&cursor)
            case .pairs where pairsLeft > 0: try readPair(&cursor)
            case .pairs: next = .tensors
            case .strings where stringsLeft > 0:
                try Self.skipString(&cursor)
                stringsLeft -= 1
            case .strings: next = .pairs
            case .tensors where tensorsLeft > 0: try readTensor(&cursor)
            case .tensors: return try layout(size: file.size)
            }
            // Each of these changes nothing before it has read all it needs.
            position = cursor.position
        }
    }

    private mutating func readStart(_ cursor: inout ByteCursor) throws(LayoutFault) {
        guard try cursor.integer(UInt32.self) == 0x4655_4747,
            (2...3).contains(try cursor.integer(UInt32.self))
        else { throw .malformed }
        let tensorCount = try cursor.integer(UInt64.self)
        let pairCount = try cursor.integer(UInt64.self)
        guard (1...Self.tensorCountMax).contains(tensorCount), pairCount <= Self.pairCountMax
        else { throw .malformed }
        (tensorsLeft, pairsLeft, next) = (tensorCount, pairCount, .pairs)
    }

    private mutating func readPair(_ cursor: inout ByteCursor) throws(LayoutFault) {
        let isAlignment = try Self.isAlignmentKey(&cursor)
        let kind = try cursor.integer(UInt32.self)
        switch kind {
        case Kind.uint32 where isAlignment:
            let value = try cursor.integer(UInt32.self)
            guard value > 0 else { throw .malformed }
            alignment = UInt64(value)
        case Kind.string: try Self.skipString(&cursor)
        case Kind.array: try readArray(&cursor)
        default:
            guard let count = Kind.byteCount(kind) else { throw .malformed }
            try cursor.skip(count)
        }
        pairsLeft -= 1
    }

    /// Passes over an array, except that one of strings is left to `.strings`.
    private mutating func readArray(_ cursor: inout ByteCursor) throws(LayoutFault) {
        let kind = try cursor.integer(UInt32.self)
        let count = try cursor.integer(UInt64.self)
        if kind == Kind.string {
            (stringsLeft, next) = (count, .strings)
            return
        }
        // Nobody writes arrays of arrays, which the format allows.
        guard let byteCount = Kind.byteCount(kind) else { throw .malformed }
        let (bytes, isOverflow) = count.multipliedReportingOverflow(by: byteCount)
        guard !isOverflow else { throw .malformed }
        try cursor.skip(bytes)
    }

    private mutating func readTensor(_ cursor: inout ByteCursor) throws(LayoutFault) {
        try Self.skipString(&cursor)
        let dimensionCount = try cursor.integer(UInt32.self)
        guard dimensionCount <= Self.dimensionCountMax else { throw .malformed }
        try cursor.skip(UInt64(dimensionCount) * 8 + 4)
        offsets.append(try cursor.integer(UInt64.self))
        tensorsLeft -= 1
    }

    private func layout(size: UInt64) throws(LayoutFault) -> PartLayout {
        let dataStart = (position + alignment - 1) / alignment * alignment
        guard dataStart <= size, offsets.allSatisfy({ $0 <= size - dataStart }) else {
            throw .malformed
        }
        let starts = offsets.map { dataStart + $0 }.sorted()
        // Between two there is padding, which is as good as the tensor's own.
        return PartLayout(dataStart: starts[0], ends: starts.dropFirst() + [size])
    }

    private static func isAlignmentKey(_ cursor: inout ByteCursor) throws(LayoutFault) -> Bool {
        let length = try cursor.integer(UInt64.self)
        guard length == alignmentKey.count else {
            try cursor.skip(length)
            return false
        }
        var isEqual = true
        for wanted in alignmentKey {
            let byte = try cursor.byte()
            isEqual = isEqual && byte == wanted
        }
        return isEqual
    }

    private static func skipString(_ cursor: inout ByteCursor) throws(LayoutFault) {
        try cursor.skip(try cursor.integer(UInt64.self))
    }
}
