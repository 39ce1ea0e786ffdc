/// Text compared byte by byte, as git compares names.
///
/// `String` takes a composed and a decomposed é for the same; to git they are two files.
struct ExactText: Hashable, Sendable, Comparable {
    let text: String

    init(_ text: some StringProtocol) {
        self.text = String(text)
    }

    static func == (left: ExactText, right: ExactText) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    static func < (left: ExactText, right: ExactText) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(0xff as UInt8)
    }
}

extension StringProtocol {
    /// The segments of a path, without empty ones. A slash followed by a combining mark is one
    /// `Character` with it, and still separates.
    var pathParts: [String] {
        Array(utf8).split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The last segment of a path.
    var fileName: String { pathParts.last ?? "" }

    /// Lines without their ends, LF or CRLF, which `Character` would take for one.
    var byteLines: [String] {
        Array(utf8).split(separator: 0x0a, omittingEmptySubsequences: false).map { line in
            String(decoding: line.last == 0x0d ? line.dropLast() : line, as: UTF8.self)
        }
    }
}

extension String {
    /// The folders a path lies in, the outermost first.
    var foldersAbove: [String] {
        utf8.indices.filter { utf8[$0] == UInt8(ascii: "/") }.map { String(self[..<$0]) }
    }
}
