/// A file's path in a repo, checked by what git and the Hub refuse.
package enum FilePath {
    private static let slash = UInt8(ascii: "/")

    /// - Returns: why the path cannot be in a repo, nil if it can.
    package static func refusal(_ path: String) -> String? {
        let bytes = Array(path.utf8)
        if bytes.isEmpty { return "empty path" }
        if bytes.first == slash || bytes.last == slash { return "leading or trailing slash" }
        if bytes.contains(UInt8(ascii: "\\")) { return "backslash" }
        if bytes.count > 1000 { return "longer than 1000 bytes" }
        if bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) { return "control character" }
        for part in bytes.split(separator: slash, omittingEmptySubsequences: false) {
            if part.isEmpty { return "empty path segment" }
            if part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8) {
                return "dot segment"
            }
            if String(decoding: part, as: UTF8.self).lowercased() == ".git" {
                return ".git segment"
            }
            if part.count > 255 { return "path segment longer than 255 bytes" }
        }
        return nil
    }
}
