/// The name of a volume: also that of its file and its mount point, so nothing in it leads elsewhere.
package struct VolumeName: Hashable, Sendable {
    /// In characters. A name in a folder has 255 bytes, and `.json` comes behind it.
    package static let lengthMax = 200

    package let text: String

    /// - Throws: `VolumeError.badName` for what Docker would not have as a name either.
    package init(_ text: String) throws(VolumeError) {
        let bytes = text.utf8
        guard bytes.count <= Self.lengthMax, let first = bytes.first, Self.isWord(first),
            bytes.allSatisfy({ Self.isWord($0) || [0x5f, 0x2e, 0x2d].contains($0) })
        else { throw .badName(String(text.prefix(Self.lengthMax))) }
        self.text = text
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
