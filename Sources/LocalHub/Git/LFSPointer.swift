/// The text git keeps in place of a large file. Source: git-lfs's docs/spec.md.
package struct LFSPointer: Hashable, Sendable {
    /// SHA-256 of the content, 64 hex digits.
    package let oid: String
    /// Bytes of the content.
    package let size: Int

    /// A pointer is shorter than this; larger blobs need not be read to know they are none.
    static let sizeMax = 200

    package init(oid: String, size: Int) {
        self.oid = oid
        self.size = size
    }

    /// - Returns: nil if the bytes are not a pointer's.
    package init?(parsing bytes: [UInt8]) {
        guard bytes.count < Self.sizeMax, bytes.starts(with: "version https://".utf8) else {
            return nil
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.count >= 3, lines[0] == "version https://git-lfs.github.com/spec/v1",
            let oid = lines.first(where: { $0.hasPrefix("oid sha256:") })?.dropFirst(11),
            let size = lines.first(where: { $0.hasPrefix("size ") }).flatMap({
                Int($0.dropFirst(5))
            }),
            isHex(oid, count: 64), size >= 0
        else { return nil }
        self.init(oid: String(oid), size: size)
    }

    /// The blob's text.
    package var text: String {
        "version https://git-lfs.github.com/spec/v1\noid sha256:\(oid)\nsize \(size)\n"
    }
}
