import HubClient

/// Where the tensors of a safetensors file lie.
///
/// | offset | size | meaning |
/// |---|---|---|
/// | 0 | 8 | bytes of the header, n, little-endian |
/// | 8 | n | JSON: name -> {"data_offsets": [begin, end], …}, counted from the end of the header |
///
/// Source: the safetensors format's own description.
struct SafetensorsHeader: LayoutReader {
    let isAtStart = true
    /// Longer headers are not looked at: they would cost more time than they save.
    static let byteCountMax: UInt64 = 1 << 20
    static let lengthBytes: UInt64 = 8

    func read(_ file: PresentBytes) throws(LayoutFault) -> PartLayout {
        var start = ByteCursor(file, 0..<Self.lengthBytes)
        let length = try start.integer(UInt64.self)
        guard (2...Self.byteCountMax).contains(length) else { throw .malformed }
        let dataStart = Self.lengthBytes + length
        let header = try file.bytes(Self.lengthBytes..<dataStart)
        guard case .object(let tensors) = JSON(header) else { throw .malformed }
        var ends: [UInt64] = []
        for (name, tensor) in tensors where name != "__metadata__" {
            guard let offsets = tensor["data_offsets"]?.array, offsets.count == 2,
                let end = offsets[1].unsigned, end <= file.size - dataStart
            else { throw .malformed }
            ends.append(dataStart + end)
        }
        return PartLayout(dataStart: dataStart, ends: ends)
    }
}
