/// A fixed-size digest written as lowercase hexadecimal.
///
/// One conforming type per kind of identity keeps a commit from ever being passed where a
/// blob is meant: the bytes look alike, the meanings do not.
package protocol HexIdentity: Hashable, Sendable, CustomStringConvertible, Comparable {
    /// Digest length in bytes.
    static var byteCount: Int { get }
    /// Lowercase hexadecimal form, `2 * byteCount` characters.
    var hex: String { get }
    /// Makes the value from text already known to be well-formed.
    init(uncheckedHex hex: String)
}

extension HexIdentity {
    /// Parses hexadecimal text of either case.
    ///
    /// - Returns: nil when the length is wrong or a character is not a hexadecimal digit.
    package init?(hex text: some StringProtocol) {
        guard text.utf8.count == Self.byteCount * 2 else { return nil }
        guard text.utf8.allSatisfy(isHexDigit) else { return nil }
        self.init(uncheckedHex: text.lowercased())
    }

    package var description: String { hex }

    package static func < (left: Self, right: Self) -> Bool { left.hex < right.hex }
}

private func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
        UInt8(ascii: "A")...UInt8(ascii: "F"):
        true
    default: false
    }
}

/// The sha1 of a git commit: one immutable state of a whole repo.
package struct CommitOID: HexIdentity {
    package static let byteCount = 20
    package let hex: String
    package init(uncheckedHex hex: String) { self.hex = hex }
}

/// The sha1 of a git tree: one immutable listing of a directory.
package struct TreeOID: HexIdentity {
    package static let byteCount = 20
    package let hex: String
    package init(uncheckedHex hex: String) { self.hex = hex }
}

/// The sha1 of a git blob, `sha1("blob <size>\0" + bytes)`.
package struct BlobOID: HexIdentity {
    package static let byteCount = 20
    package let hex: String
    package init(uncheckedHex hex: String) { self.hex = hex }
}

/// The sha256 of a file stored with Git LFS: the digest of its bytes alone.
package struct LFSOID: HexIdentity {
    package static let byteCount = 32
    package let hex: String
    package init(uncheckedHex hex: String) { self.hex = hex }
}
