private let hexDigits = Array("0123456789abcdef".utf8)

/// Two lowercase hex digits.
func hex(_ byte: UInt8) -> String {
    hex(CollectionOfOne(byte))
}

/// Lowercase hex of the bytes.
func hex(_ bytes: some Sequence<UInt8>) -> String {
    var digits: [UInt8] = []
    digits.reserveCapacity(bytes.underestimatedCount * 2)
    for byte in bytes {
        digits.append(hexDigits[Int(byte >> 4)])
        digits.append(hexDigits[Int(byte & 15)])
    }
    return String(decoding: digits, as: UTF8.self)
}

/// Whether the text is lowercase hex of exactly `count` digits.
func isHex(_ text: some StringProtocol, count: Int) -> Bool {
    text.utf8.count == count && isHex(text)
}

/// Whether the text is lowercase hex.
func isHex(_ text: some StringProtocol) -> Bool {
    text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
}

/// The bytes that lowercase hex stands for; nil for other text.
func bytes(ofHex text: some StringProtocol) -> [UInt8]? {
    guard text.utf8.count % 2 == 0, isHex(text) else { return nil }
    let nibbles = text.utf8.map { $0 < 58 ? $0 - 48 : $0 - 87 }
    return stride(from: 0, to: nibbles.count, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
}
