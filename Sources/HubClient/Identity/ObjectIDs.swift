/// A fixed-size digest written as lowercase hexadecimal.
///
/// One conforming type per kind of identity keeps a commit from ever being passed where a
/// blob is meant: the bytes look alike, the meanings do not. The bytes are kept inline, so a
/// hundred thousand of them cost no allocations.
package protocol HexIdentity: Hashable, Sendable, CustomStringConvertible, Comparable {
    /// Digest length in bytes: 20 or 32.
    static var byteCount: Int { get }
    var words: DigestWords { get }
    init(words: DigestWords)
}

/// Up to 32 bytes of a digest, the first byte in the highest bits of `w0`; unused bits are zero.
package struct DigestWords: Hashable, Sendable, Comparable {
    package var w0: UInt64 = 0
    package var w1: UInt64 = 0
    package var w2: UInt64 = 0
    package var w3: UInt64 = 0

    package init() {}

    /// The byte at an index below 32.
    package subscript(index: Int) -> UInt8 {
        get { UInt8(truncatingIfNeeded: word(index / 8) >> Self.shift(index)) }
        set {
            let bits = UInt64(newValue) << Self.shift(index)
            let mask = ~(UInt64(0xff) << Self.shift(index))
            switch index / 8 {
            case 0: w0 = w0 & mask | bits
            case 1: w1 = w1 & mask | bits
            case 2: w2 = w2 & mask | bits
            default: w3 = w3 & mask | bits
            }
        }
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.w0, left.w1, left.w2, left.w3) < (right.w0, right.w1, right.w2, right.w3)
    }

    private func word(_ number: Int) -> UInt64 {
        switch number {
        case 0: w0
        case 1: w1
        case 2: w2
        default: w3
        }
    }

    private static func shift(_ index: Int) -> UInt64 { UInt64(56 - index % 8 * 8) }
}

extension HexIdentity {
    /// Parses hexadecimal text of either case.
    ///
    /// - Returns: nil when the length is wrong or a character is not a hexadecimal digit.
    package init?(hex text: some StringProtocol) {
        guard text.utf8.count == Self.byteCount * 2 else { return nil }
        var words = DigestWords()
        for (position, character) in text.utf8.enumerated() {
            guard let digit = hexDigitValue(character) else { return nil }
            let shift: UInt8 = position % 2 == 0 ? 4 : 0
            words[position / 2] |= digit << shift
        }
        self.init(words: words)
    }

    /// Takes the digest's bytes.
    ///
    /// - Returns: nil when their number is not `byteCount`.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words = DigestWords()
        for (index, byte) in bytes.enumerated() { words[index] = byte }
        self.init(words: words)
    }

    /// The digest's bytes.
    package var bytes: [UInt8] { (0..<Self.byteCount).map { words[$0] } }

    /// Lowercase hexadecimal form, `2 * byteCount` characters.
    package var hex: String {
        String(unsafeUninitializedCapacity: Self.byteCount * 2) { buffer in
            for index in 0..<Self.byteCount {
                buffer[index * 2] = hexCharacter(words[index] >> 4)
                buffer[index * 2 + 1] = hexCharacter(words[index] & 15)
            }
            return Self.byteCount * 2
        }
    }

    package var description: String { hex }

    package static func < (left: Self, right: Self) -> Bool { left.words < right.words }
}

private func hexCharacter(_ digit: UInt8) -> UInt8 {
    digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
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

/// The sha1 of a git commit: one immutable state of a whole repo.
package struct CommitOID: HexIdentity {
    package static let byteCount = 20
    package let words: DigestWords
    package init(words: DigestWords) { self.words = words }
}

/// The sha1 of a git tree: one immutable listing of a directory.
package struct TreeOID: HexIdentity {
    package static let byteCount = 20
    package let words: DigestWords
    package init(words: DigestWords) { self.words = words }
}

/// The sha1 of a git blob, `sha1("blob <size>\0" + bytes)`.
package struct BlobOID: HexIdentity {
    package static let byteCount = 20
    package let words: DigestWords
    package init(words: DigestWords) { self.words = words }
}

/// The sha256 of a file stored with Git LFS: the digest of its bytes alone.
package struct LFSOID: HexIdentity {
    package static let byteCount = 32
    package let words: DigestWords
    package init(words: DigestWords) { self.words = words }
}

/// The name of a file in the content-addressed store: a hash of its chunks' hashes, in the order of its
/// text form.
package struct XetOID: HexIdentity {
    package static let byteCount = 32
    package let words: DigestWords
    package init(words: DigestWords) { self.words = words }
}
