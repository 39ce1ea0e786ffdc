/// The checksum CRC-64/NVME, by which a store of objects checks what is uploaded with a grant.
///
/// Source: NVM Express NVM Command Set specification, 64b CRC; the check value of `123456789` is
/// ae8b14860a799888.
package struct CRC64: Sendable {
    private var remainder: UInt64 = .max

    package init() {}

    /// Of all bytes so far.
    package var value: UInt64 { ~remainder }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var remainder = remainder
        Self.tables.withUnsafeBufferPointer { tables in
            let wholeCount = bytes.count & ~7
            for offset in stride(from: 0, to: wholeCount, by: 8) {
                let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                remainder ^= UInt64(littleEndian: word)
                var next: UInt64 = 0
                for place in 0..<8 {
                    let byte = Int(truncatingIfNeeded: remainder >> (8 * UInt64(place))) & 0xFF
                    next ^= tables[(7 - place) * 256 + byte]
                }
                remainder = next
            }
            for byte in bytes[wholeCount...] {
                let index = UInt8(truncatingIfNeeded: remainder) ^ byte
                remainder = tables[Int(index)] ^ remainder >> 8
            }
        }
        self.remainder = remainder
    }

    /// Eight tables of 256: what a byte adds that is followed by none, one … seven more.
    private static let tables: [UInt64] = {
        let polynomial: UInt64 = 0x9A6C_9329_AC4B_C9B5
        var tables = (0..<256).map { byte in
            (0..<8).reduce(UInt64(byte)) { value, _ in
                value >> 1 ^ (value & 1 == 1 ? polynomial : 0)
            }
        }
        for index in 256..<8 * 256 {
            let shorter = tables[index - 256]
            tables.append(shorter >> 8 ^ tables[Int(shorter & 0xFF)])
        }
        return tables
    }()
}
