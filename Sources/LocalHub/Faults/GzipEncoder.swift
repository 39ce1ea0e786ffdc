/// gzip without compression: stored blocks only, which every decoder reads. Source: RFC 1951, 1952.
struct GzipEncoder {
    private var crc: UInt32 = 0xffff_ffff
    private var size: UInt32 = 0
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in
            value & 1 == 1 ? 0xedb8_8320 ^ (value >> 1) : value >> 1
        }
    }

    static let head: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]

    mutating func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var encoded: [UInt8] = []
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let block = rest.prefix(0xffff)
            rest = rest.dropFirst(block.count)
            for byte in block {
                crc = Self.table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ (crc >> 8)
            }
            size &+= UInt32(block.count)
            encoded += Self.blockHead(isLast: false, count: UInt16(block.count)) + block
        }
        return encoded
    }

    mutating func finish() -> [UInt8] {
        Self.blockHead(isLast: true, count: 0) + Self.littleEndian(~crc) + Self.littleEndian(size)
    }

    private static func blockHead(isLast: Bool, count: UInt16) -> [UInt8] {
        let inverse = ~count
        return [
            isLast ? 1 : 0, UInt8(truncatingIfNeeded: count), UInt8(count >> 8),
            UInt8(truncatingIfNeeded: inverse), UInt8(inverse >> 8),
        ]
    }

    private static func littleEndian(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
}
