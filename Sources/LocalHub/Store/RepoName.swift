/// `namespace/name`, checked by the Hub's rules.
package struct RepoName: Hashable, Sendable, CustomStringConvertible {
    package let namespace: String
    package let name: String

    package var description: String { namespace + "/" + name }

    /// - Returns: nil if a part is not a name the Hub accepts.
    package init?(namespace: String, name: String) {
        guard Self.isValidPart(namespace), Self.isValidPart(name) else { return nil }
        self.namespace = namespace
        self.name = name
    }

    /// Reads `namespace/name`.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        self.init(namespace: String(parts[0]), name: String(parts[1]))
    }

    /// One segment of a repo id: `[A-Za-z0-9_.-]`, at most 96, no `.` or `-` at either end,
    /// no `--`, no `..`, no `.git` at the end.
    package static func isValidPart(_ part: String) -> Bool {
        let bytes = Array(part.utf8)
        guard !bytes.isEmpty, bytes.count <= 96 else { return false }
        guard bytes.allSatisfy(isAllowed) else { return false }
        let ends = [bytes[0], bytes[bytes.count - 1]]
        guard !ends.contains(UInt8(ascii: ".")), !ends.contains(UInt8(ascii: "-")) else {
            return false
        }
        return !part.contains("--") && !part.contains("..") && !part.hasSuffix(".git")
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
