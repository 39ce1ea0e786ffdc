/// The bytes of a digest, kept inline as big-endian words.
///
/// Comparing the words in order is comparing the bytes, which is comparing the hexadecimal text.
package protocol FixedDigest: Hashable, Sendable, Comparable {
    static var byteCount: Int { get }
    /// Copies exactly `byteCount` bytes; traps on any other count.
    init(copying bytes: UnsafeRawBufferPointer)
    /// Lends the bytes in their written order.
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result
}

/// 20 bytes, the size of a sha1.
package struct Digest20: FixedDigest {
    package static let byteCount = 20
    private let first: UInt64
    private let second: UInt64
    private let third: UInt32

    package init(copying bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.byteCount, "a sha1 has 20 bytes")
        first = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        second = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        third = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
    }

    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let written = (first.bigEndian, second.bigEndian, third.bigEndian)
        return try withUnsafePointer(to: written) { pointer throws(Failure) -> Result in
            try body(UnsafeRawBufferPointer(start: pointer, count: Self.byteCount))
        }
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.first, left.second, left.third) < (right.first, right.second, right.third)
    }
}

/// 32 bytes, the size of a sha256.
package struct Digest32: FixedDigest {
    package static let byteCount = 32
    private let first: UInt64
    private let second: UInt64
    private let third: UInt64
    private let fourth: UInt64

    package init(copying bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.byteCount, "a sha256 has 32 bytes")
        first = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        second = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        third = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        fourth = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
    }

    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let written = (first.bigEndian, second.bigEndian, third.bigEndian, fourth.bigEndian)
        return try withUnsafePointer(to: written) { pointer throws(Failure) -> Result in
            try body(UnsafeRawBufferPointer(start: pointer, count: Self.byteCount))
        }
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.first, left.second, left.third, left.fourth)
            < (right.first, right.second, right.third, right.fourth)
    }
}

/// - Returns: nil when the text is not `2 * byteCount` hexadecimal digits.
func bytesOfHex(_ text: some StringProtocol, byteCount: Int) -> [UInt8]? {
    guard text.utf8.count == byteCount * 2 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount)
    var high: UInt8?
    for character in text.utf8 {
        guard let digit = hexDigitValue(character) else { return nil }
        if let upper = high {
            bytes.append(upper << 4 | digit)
            high = nil
        } else {
            high = digit
        }
    }
    return bytes
}

/// - Returns: nil when the ASCII character is not a hexadecimal digit.
func hexDigitValue(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// Lowercase hexadecimal digits of `bytes`.
func hexText(_ bytes: UnsafeRawBufferPointer) -> String {
    let digits: StaticString = "0123456789abcdef"
    return String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
        for (index, byte) in bytes.enumerated() {
            buffer[2 * index] = digits.utf8Start[Int(byte >> 4)]
            buffer[2 * index + 1] = digits.utf8Start[Int(byte & 15)]
        }
        return bytes.count * 2
    }
}
