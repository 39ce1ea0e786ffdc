/// Encodes bytes as standard base64, in pieces of any size. Source: RFC 4648, section 4.
struct Base64Encoder {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Bytes, fewer than three, that wait for the rest of their group.
    private var carried: [UInt8] = []

    /// Appends the text of every whole group of three bytes so far.
    mutating func encode(_ bytes: UnsafeRawBufferPointer, into text: inout [UInt8]) {
        var rest = bytes
        if !carried.isEmpty {
            let missing = min(3 - carried.count, rest.count)
            carried.append(contentsOf: rest[..<missing])
            rest = UnsafeRawBufferPointer(rebasing: rest[missing...])
            guard carried.count == 3 else { return }
            carried.withUnsafeBytes { Self.encodeGroups($0, into: &text) }
            carried.removeAll(keepingCapacity: true)
        }
        let groupedCount = rest.count / 3 * 3
        Self.encodeGroups(UnsafeRawBufferPointer(rebasing: rest[..<groupedCount]), into: &text)
        carried.append(contentsOf: rest[groupedCount...])
    }

    /// Appends the text of the last group, padded.
    mutating func finish(into text: inout [UInt8]) {
        guard !carried.isEmpty else { return }
        let padding = 3 - carried.count
        carried.append(contentsOf: repeatElement(0, count: padding))
        carried.withUnsafeBytes { Self.encodeGroups($0, into: &text) }
        text.replaceSubrange(
            (text.count - padding)..., with: repeatElement(UInt8(ascii: "="), count: padding))
        carried.removeAll(keepingCapacity: true)
    }

    /// - Parameter bytes: A multiple of three.
    private static func encodeGroups(_ bytes: UnsafeRawBufferPointer, into text: inout [UInt8]) {
        let start = text.count
        text.append(contentsOf: repeatElement(0, count: bytes.count / 3 * 4))
        alphabet.withUnsafeBufferPointer { alphabet in
            text.withUnsafeMutableBufferPointer { text in
                var out = start
                for index in stride(from: 0, to: bytes.count, by: 3) {
                    let group =
                        Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8
                        | Int(bytes[index + 2])
                    text[out] = alphabet[group >> 18]
                    text[out + 1] = alphabet[group >> 12 & 63]
                    text[out + 2] = alphabet[group >> 6 & 63]
                    text[out + 3] = alphabet[group & 63]
                    out += 4
                }
            }
        }
    }
}

/// A few bytes as base64.
func base64(_ bytes: [UInt8]) -> String {
    var encoder = Base64Encoder()
    var text: [UInt8] = []
    bytes.withUnsafeBytes { encoder.encode($0, into: &text) }
    encoder.finish(into: &text)
    return String(decoding: text, as: UTF8.self)
}
