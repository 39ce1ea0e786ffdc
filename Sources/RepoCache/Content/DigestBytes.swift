import HubClient

/// A content's or tree's name as the cache's files hold it: a kind and up to 32 bytes.
struct DigestBytes {
    static let gitKind: UInt64 = 1
    static let lfsKind: UInt64 = 2

    let kind: UInt64
    /// 32 bytes; shorter digests are followed by zeros.
    let padded: [UInt8]

    init(_ content: ContentID) {
        switch content {
        case .git(let oid): (kind, padded) = (Self.gitKind, Self.padded(oid))
        case .lfs(let oid): (kind, padded) = (Self.lfsKind, Self.padded(oid))
        }
    }

    static func padded(_ identity: some HexIdentity) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        for (index, digit) in identity.hex.utf8.enumerated() {
            bytes[index / 2] = bytes[index / 2] << 4 | value(digit)
        }
        return bytes
    }

    /// The identity whose digest stands at the start of `bytes`.
    static func identity<Identity: HexIdentity>(
        _ type: Identity.Type, from bytes: some Collection<UInt8>
    ) -> Identity {
        Identity(bytes: bytes.prefix(Identity.byteCount))!
    }

    /// Lowercase hexadecimal text of `bytes`.
    static func hexadecimal(_ bytes: some Collection<UInt8>) -> String {
        let digits: StaticString = "0123456789abcdef"
        return String(unsafeUninitializedCapacity: bytes.count * 2) { text in
            var count = 0
            for byte in bytes {
                text[count] = digits.utf8Start[Int(byte >> 4)]
                text[count + 1] = digits.utf8Start[Int(byte & 15)]
                count += 2
            }
            return count
        }
    }

    private static func value(_ digit: UInt8) -> UInt8 {
        digit >= UInt8(ascii: "a") ? digit - UInt8(ascii: "a") + 10 : digit - UInt8(ascii: "0")
    }
}
