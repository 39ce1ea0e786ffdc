@testable import RepoCache

/// The layout that a reader finds in a file that has zeros behind a beginning; nil when it finds none.
///
/// - Parameter blockCount: So many blocks of it are here; nil for all that have some of the beginning.
/// - Throws: `LayoutFault.absent`.
func layout(
    _ reader: some LayoutReader, beginning: [UInt8], size: UInt64? = nil, blockCount: Int? = nil
) throws(LayoutFault) -> PartLayout? {
    var reader = reader
    let blocks = blockCount ?? (beginning.count / Int(BlockGeometry.largeContentBlockBytes) + 1)
    let presentBytes = UInt64(blocks) * BlockGeometry.largeContentBlockBytes
    let file = PresentBytes(size: size ?? UInt64(beginning.count)) { range in
        guard range.upperBound <= presentBytes else { return nil }
        return (Int(range.lowerBound)..<Int(range.upperBound)).map {
            $0 < beginning.count ? beginning[$0] : 0
        }
    }
    do throws(LayoutFault) {
        return try reader.read(file)
    } catch {
        switch error {
        case .malformed: return nil
        case .absent: throw error
        }
    }
}

/// The header of a safetensors file, with its length.
func safetensors(_ json: String) -> [UInt8] {
    little(UInt64(json.utf8.count)) + Array(json.utf8)
}

func safetensors(_ tensors: [(begin: Int, end: Int)]) -> [UInt8] {
    let rows = tensors.enumerated().map { index, tensor in
        """
        "t\(index)":{"dtype":"F32","shape":[1],"data_offsets":[\(tensor.begin),\(tensor.end)]}
        """
    }
    return safetensors("{\"__metadata__\":{\"format\":\"pt\"},\(rows.joined(separator: ","))}")
}

/// A number as these formats have it.
func little(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
}

/// Writes the header of a GGUF file.
struct GGUFSample {
    var version: UInt32 = 3
    /// Each with its key, its type and its value.
    var pairs: [[UInt8]] = []
    /// Counted from the end of the header.
    var offsets: [UInt64] = []

    static func text(_ text: String) -> [UInt8] {
        little(UInt64(text.utf8.count)) + Array(text.utf8)
    }

    mutating func add(_ key: String, kind: UInt32, _ value: [UInt8]) {
        pairs.append(Self.text(key) + little(kind) + value)
    }

    mutating func add(words: [String]) {
        let head = little(UInt32(8)) + little(UInt64(words.count))
        add("tokenizer.ggml.tokens", kind: 9, head + words.flatMap { Self.text($0) })
    }

    /// Of every type that there is, arrays of them too.
    mutating func addEveryKind() {
        for (kind, count) in [
            (0, 1), (1, 1), (2, 2), (3, 2), (4, 4), (5, 4), (6, 4), (7, 1), (10, 8), (11, 8),
            (12, 8),
        ] {
            let value = [UInt8](repeating: 1, count: count)
            add("one.\(kind)", kind: UInt32(kind), value)
            let head = little(UInt32(kind)) + little(UInt64(3))
            add("three.\(kind)", kind: 9, head + value + value + value)
        }
        add("general.name", kind: 8, Self.text("a model"))
        add(words: ["a", "", "longer words"])
        add("none", kind: 9, little(UInt32(8)) + little(UInt64(0)))
    }

    var bytes: [UInt8] {
        let tensors = offsets.enumerated().flatMap { number, offset in
            Self.text("blk.\(number).weight") + little(UInt32(2)) + little(UInt64(32))
                + little(UInt64(2)) + little(UInt32(0)) + little(offset)
        }
        return Array("GGUF".utf8) + little(version) + little(UInt64(offsets.count))
            + little(UInt64(pairs.count)) + pairs.joined() + tensors
    }
}

/// Writes a Parquet file of which only the footer is looked at.
struct ParquetSample {
    /// Where the chunks lie, by row groups.
    var groups: [[Range<UInt64>]]
    /// Bytes before the footer.
    var dataBytes: Int
    /// The dictionary of each chunk is this long; 0 for none.
    var dictionaryBytes: UInt64 = 10

    static func number(_ number: UInt64) -> [UInt8] {
        number < 0x80
            ? [UInt8(number)] : [UInt8(number & 0x7f) | 0x80] + Self.number(number >> 7)
    }

    /// A field whose number is so much larger than that of the one before.
    private static func int64(_ step: UInt8, _ value: UInt64) -> [UInt8] {
        [step << 4 | 6] + number(value << 1)
    }

    static func list(_ step: UInt8, _ items: [[UInt8]]) -> [UInt8] {
        let head: [UInt8] =
            items.count < 15
            ? [UInt8(items.count) << 4 | 12] : [0xfc] + number(UInt64(items.count))
        return [step << 4 | 9] + head + items.joined()
    }

    private func chunk(_ place: Range<UInt64>) -> [UInt8] {
        let encodings: [UInt8] = [0x19, 0x25, 0, 6]
        let path: [UInt8] = [0x19, 0x18, 1, 0x78]
        var metadata: [UInt8] = [0x15, 2] + encodings + path + [0x15, 0]
        metadata += Self.int64(1, 1000) + Self.int64(1, 2 * UInt64(place.count))
        metadata += Self.int64(1, UInt64(place.count))
        metadata += Self.int64(2, place.lowerBound + dictionaryBytes)
        if dictionaryBytes > 0 { metadata += Self.int64(2, place.lowerBound) }
        return Self.int64(2, 0) + [0x1c] + metadata + [0, 0]
    }

    var footer: [UInt8] {
        let groups = groups.map { chunks in
            Self.list(1, chunks.map { chunk($0) }) + Self.int64(1, 1) + Self.int64(1, 1) + [0]
        }
        // A schema with a name, a truth value and a map, to be passed over.
        let schema: [UInt8] = [0x48, 1, 0x78, 0x11, 0x12, 0x1b, 1, 0x86, 1, 0x61, 2, 0]
        let pairs: [UInt8] = [0x18, 1, 0x6b, 0x18, 2, 0x76, 0x76, 0]
        return [0x15, 4] + Self.list(1, [schema]) + Self.int64(1, 1000) + Self.list(1, groups)
            + Self.list(1, [pairs]) + [0x18, 2, 0x6d, 0x65, 0]
    }

    var bytes: [UInt8] {
        let footer = footer
        return [UInt8](repeating: 0x20, count: dataBytes) + footer + little(UInt32(footer.count))
            + Array("PAR1".utf8)
    }
}
