import Foundation

/// Which paths a `.gitattributes` sends to LFS.
package struct GitAttributes: Sendable {
    private struct Rule {
        let glob: Glob
        let isWholePath: Bool
        let isLFS: Bool
    }

    private let rules: [Rule]

    package init(_ text: String) {
        rules = text.byteLines.compactMap(Self.rule)
    }

    /// The last rule that speaks of a filter decides.
    package func isLFS(_ path: String) -> Bool {
        let name = path.fileName
        let rule = rules.last { $0.glob.matches($0.isWholePath ? path : name) }
        return rule?.isLFS ?? false
    }

    private static func rule(_ line: String) -> Rule? {
        let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard let pattern = words.first, !pattern.hasPrefix("#") else { return nil }
        let filters = words.dropFirst().filter {
            $0.hasPrefix("filter=") || $0 == "-filter" || $0 == "!filter"
        }
        guard let filter = filters.last else { return nil }
        let bare = unquoted(pattern)
        let anchored = bare.hasPrefix("/") ? String(bare.dropFirst()) : bare
        return Rule(
            glob: Glob(anchored), isWholePath: bare.contains("/"), isLFS: filter == "filter=lfs")
    }

    /// `[[:space:]]` is how git-lfs writes a space, since a pattern ends at one.
    private static func unquoted(_ pattern: Substring) -> String {
        pattern.replacingOccurrences(of: "[[:space:]]", with: " ")
    }

    /// The text with a line for each LFS path it does not cover; nil if it covers all.
    static func extend(_ text: String, for paths: [String]) -> String? {
        let attributes = GitAttributes(text)
        let missing = paths.filter { !attributes.isLFS($0) }
        guard !missing.isEmpty else { return nil }
        let end = text.isEmpty || text.utf8.last == 0x0a ? "" : "\n"
        return text + end + missing.map(line).joined()
    }

    /// The line the server adds so that `path` is an LFS path from now on.
    static func line(for path: String) -> String {
        let special = Set("*?[]\\")
        var pattern = ""
        for character in path {
            if character == " " {
                pattern += "[[:space:]]"
            } else {
                pattern += special.contains(character) ? "\\\(character)" : String(character)
            }
        }
        // A pattern without a slash would match that name in every folder.
        if path.pathParts.count == 1 { pattern = "/" + pattern }
        return pattern + " filter=lfs diff=lfs merge=lfs -text\n"
    }

    /// What a new repo's `.gitattributes` says.
    static let initial: String =
        [
            "*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gz", "*.h5", "*.joblib",
            "*.lfs.*", "*.mlmodel", "*.model", "*.msgpack", "*.npy", "*.npz", "*.onnx", "*.ot",
            "*.parquet", "*.pb", "*.pickle", "*.pkl", "*.pt", "*.pth", "*.rar", "*.safetensors",
            "saved_model/**/*", "*.tar.*", "*.tar", "*.tflite", "*.tgz", "*.wasm", "*.xz", "*.zip",
            "*.zst", "*tfevents*",
        ].map { $0 + " filter=lfs diff=lfs merge=lfs -text\n" }.joined()
}
