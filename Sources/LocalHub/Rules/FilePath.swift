/// A file's path in a repo, checked by what git and the Hub refuse.
package enum FilePath {
    /// - Returns: why the path cannot be in a repo, nil if it can.
    package static func refusal(_ path: String) -> String? {
        if path.isEmpty { return "empty path" }
        if path.hasPrefix("/") || path.hasSuffix("/") { return "leading or trailing slash" }
        if path.contains("\\") { return "backslash" }
        if path.utf8.count > 1000 { return "longer than 1000 bytes" }
        if path.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) { return "control character" }
        for part in path.split(separator: "/", omittingEmptySubsequences: false) {
            if part.isEmpty { return "empty path segment" }
            if part == "." || part == ".." { return "dot segment" }
            if part.lowercased() == ".git" { return ".git segment" }
            if part.utf8.count > 255 { return "path segment longer than 255 bytes" }
        }
        return nil
    }
}
