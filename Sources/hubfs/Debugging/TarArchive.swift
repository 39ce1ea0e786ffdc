import Glibc

/// Files in one `.tar.gz`.
///
/// The archive is of the ustar kind; in the gzip around it nothing is compressed, which every gunzip reads, and
/// which needs no library. Source: POSIX pax (ustar Interchange Format); RFC 1951, stored blocks; RFC 1952.
struct TarArchive {
    private static let blockBytes = 512
    private static let nameBytesMax = 100

    private var bytes: [UInt8] = []

    /// - Parameter name: Of at most 100 bytes of ASCII.
    mutating func add(_ name: String, _ content: [UInt8], seconds: Int64) {
        precondition(name.utf8.count <= Self.nameBytesMax, "a name in the archive is short")
        var header = [UInt8](repeating: 0, count: Self.blockBytes)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        func octal(_ number: Int64, _ width: Int) -> String {
            let digits = String(number, radix: 8)
            return String(repeating: "0", count: width - digits.count) + digits
        }
        put(name, at: 0)
        put(octal(0o600, 7), at: 100)
        put(octal(0, 7), at: 108)
        put(octal(0, 7), at: 116)
        put(octal(Int64(content.count), 11), at: 124)
        put(octal(seconds, 11), at: 136)
        put("        ", at: 148)  // the sum is of a header with blanks in its place
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        let sum = header.reduce(0) { $0 + Int64($1) }
        put(octal(sum, 6), at: 148)
        header[154] = 0
        bytes += header + content
        let rest = content.count % Self.blockBytes
        if rest > 0 { bytes += [UInt8](repeating: 0, count: Self.blockBytes - rest) }
    }

    /// The archive as it is now, in gzip.
    var gzipped: [UInt8] {
        let whole = bytes + [UInt8](repeating: 0, count: 2 * Self.blockBytes)
        var out: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]
        var start = 0
        while start < whole.count {
            let count = min(whole.count - start, 0xffff)
            let isLast = start + count == whole.count
            out += [isLast ? 1 : 0] + Self.little(UInt32(count), 2)
            out += Self.little(UInt32(~UInt16(count)), 2)
            out += whole[start..<start + count]
            start += count
        }
        return out + Self.little(Self.checksum(whole), 4) + Self.little(UInt32(whole.count), 4)
    }

    private static func little(_ number: UInt32, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number >> UInt32(8 * $0)) }
    }

    /// CRC-32 of gzip, bit by bit: a bundle is small. Source: RFC 1952, 8.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var sum: UInt32 = .max
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 {
                let isOdd = sum & 1 == 1
                sum >>= 1
                if isOdd { sum ^= 0xedb8_8320 }
            }
        }
        return ~sum
    }
}
