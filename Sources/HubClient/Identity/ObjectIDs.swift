/// A fixed-size digest written as lowercase hexadecimal.
///
/// One conforming type per kind of identity keeps a commit from ever being passed where a
/// blob is meant: the bytes look alike, the meanings do not. The bytes are kept inline, so a
/// listing of 100 000 entries allocates nothing for its oids.
package protocol HexIdentity: Hashable, Sendable, CustomStringConvertible, Comparable {
    associatedtype Digest: FixedDigest
    var digest: Digest { get }
    init(digest: Digest)
}

extension HexIdentity {
    /// Digest length in bytes.
    package static var byteCount: Int { Digest.byteCount }

    /// Parses hexadecimal text of either case.
    ///
    /// - Returns: nil when the length is wrong or a character is not a hexadecimal digit.
    package init?(hex text: some StringProtocol) {
        guard let bytes = bytesOfHex(text, byteCount: Digest.byteCount) else { return nil }
        self.init(digest: bytes.withUnsafeBytes { Digest(copying: $0) })
    }

    /// Makes the value from text already known to be well-formed; traps when it is not.
    package init(uncheckedHex hex: String) {
        guard let value = Self(hex: hex) else {
            preconditionFailure("an identity needs \(2 * Digest.byteCount) hexadecimal digits")
        }
        self = value
    }

    /// Takes the digest's raw bytes, as a database keeps them.
    ///
    /// - Returns: nil when there are not exactly `byteCount` of them.
    package init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Digest.byteCount else { return nil }
        self.init(digest: Digest(copying: bytes))
    }

    /// Takes the digest's raw bytes, as a database keeps them.
    ///
    /// - Returns: nil when there are not exactly `byteCount` of them.
    package init?(bytes: some Sequence<UInt8>) {
        let copy = Array(bytes)
        guard let value = copy.withUnsafeBytes({ Self(bytes: $0) }) else { return nil }
        self = value
    }

    /// Lends the digest's `byteCount` raw bytes for the time of the call.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try digest.withBytes(body)
    }

    /// The digest's `byteCount` raw bytes.
    package var bytes: [UInt8] { withBytes { Array($0) } }

    /// Lowercase hexadecimal form, `2 * byteCount` characters.
    package var hex: String { withBytes { hexText($0) } }

    package var description: String { hex }

    package static func < (left: Self, right: Self) -> Bool { left.digest < right.digest }
}

/// The sha1 of a git commit: one immutable state of a whole repo.
package struct CommitOID: HexIdentity {
    package let digest: Digest20
    package init(digest: Digest20) { self.digest = digest }
}

/// The sha1 of a git tree: one immutable listing of a directory.
package struct TreeOID: HexIdentity {
    package let digest: Digest20
    package init(digest: Digest20) { self.digest = digest }
}

/// The sha1 of a git blob, `sha1("blob <size>\0" + bytes)`.
package struct BlobOID: HexIdentity {
    package let digest: Digest20
    package init(digest: Digest20) { self.digest = digest }
}

/// The sha256 of a file stored with Git LFS: the digest of its bytes alone.
package struct LFSOID: HexIdentity {
    package let digest: Digest32
    package init(digest: Digest32) { self.digest = digest }
}
