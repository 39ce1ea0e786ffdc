/// A hash of Xet's: of a chunk, a xorb, a file or a range. 32 bytes.
///
/// Its text form is 64 hex digits, each eight bytes of it read as a little-endian number. Ordered as the
/// text forms are. Source: the Xet specification, hashing.
package struct XetHash: Hashable, Sendable {
    /// The bytes as four little-endian numbers, in their order.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// What an empty file has, and a xorb without chunks.
    package static let zero = XetHash(words: (0, 0, 0, 0))

    /// How many bytes a hash has.
    package static let byteCount = 32

    private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Reads a hash as binary formats have it.
    ///
    /// - Parameter bytes: Exactly 32.
    package init(bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.byteCount, "a hash has 32 bytes")
        func word(_ index: Int) -> UInt64 {
            UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// Reads a text form: 64 hex digits in either case.
    ///
    /// - Returns: nil for anything else.
    package init?(text: some StringProtocol) {
        let digits = Array(text.utf8)
        guard digits.count == 2 * Self.byteCount else { return nil }
        func word(_ index: Int) -> UInt64? {
            var value: UInt64 = 0
            for digit in digits[16 * index..<16 * index + 16] {
                guard let nibble = Self.nibble(digit) else { return nil }
                value = value << 4 | nibble
            }
            return value
        }
        guard let first = word(0), let second = word(1), let third = word(2), let last = word(3)
        else { return nil }
        words = (first, second, third, last)
    }

    /// The 32 bytes.
    package var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
        }
    }

    /// The text form, in lower case.
    package var text: String {
        String(unsafeUninitializedCapacity: 2 * Self.byteCount) { buffer in
            for (index, word) in [words.0, words.1, words.2, words.3].enumerated() {
                for place in 0..<16 {
                    let nibble = UInt8(truncatingIfNeeded: word >> (60 - 4 * UInt64(place))) & 15
                    buffer[16 * index + place] = nibble + (nibble < 10 ? 0x30 : 0x57)
                }
            }
            return 2 * Self.byteCount
        }
    }

    /// The remainder that rules of the format go by: of the last eight bytes as a number.
    package func modulo(_ divisor: UInt64) -> UInt64 { words.3 % divisor }

    package static func == (left: XetHash, right: XetHash) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) {
        // Its bits are as good as random; one word of them is enough.
        hasher.combine(words.0)
    }

    private static func nibble(_ digit: UInt8) -> UInt64? {
        switch digit {
        case 0x30...0x39: UInt64(digit - 0x30)
        case 0x41...0x46: UInt64(digit - 0x37)
        case 0x61...0x66: UInt64(digit - 0x57)
        default: nil
        }
    }
}

extension XetHash: Comparable {
    package static func < (left: XetHash, right: XetHash) -> Bool { left.words < right.words }
}

extension XetHash: CustomStringConvertible {
    package var description: String { text }
}
