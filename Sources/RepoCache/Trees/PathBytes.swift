/// A path as git has it, to compare and to hash by.
///
/// git knows bytes: an é of one scalar and an é of two are two names, and a slash before a combining
/// accent is a slash. Swift's strings are equal when they look alike, and would take both for one.
struct PathBytes: Hashable, Sendable {
    let bytes: [UInt8]

    init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

    private init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    /// What stands before the last slash: the path of the directory, empty for the root.
    var directory: PathBytes {
        PathBytes(bytes[..<(lastSlash ?? bytes.startIndex)])
    }

    /// What follows the last slash.
    var name: String {
        String(decoding: bytes[(lastSlash.map { $0 + 1 } ?? bytes.startIndex)...], as: UTF8.self)
    }

    private var lastSlash: Int? { bytes.lastIndex(of: UInt8(ascii: "/")) }
}

extension PathBytes: CustomStringConvertible {
    var description: String { String(decoding: bytes, as: UTF8.self) }
}
