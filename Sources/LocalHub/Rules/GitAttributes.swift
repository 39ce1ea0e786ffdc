import Foundation

/// Which paths a `.gitattributes` sends to LFS.
package struct GitAttributes: Sendable {
    private struct Rule {
        let glob: Glob
        let isWholePath: Bool
        let isLFS: Bool
        /// Counted from the first line: the later of two rules decides.
        let order: Int
    }

    /// Rules that may match many paths, and those of one path or name each: the server writes a
    /// line for every LFS path, and there can be tens of thousands of them.
    private var patterns: [Rule] = []
    private var paths: [ExactText: Rule] = [:]
    private var names: [ExactText: Rule] = [:]

    package init(_ text: String) {
        for (order, line) in text.byteLines.enumerated() {
            guard let (pattern, isLFS) = Self.rule(line) else { continue }
            let anchored = pattern.hasPrefix("/") ? String(pattern.dropFirst()) : pattern
            let rule = Rule(
                glob: Glob(anchored), isWholePath: pattern.contains("/"), isLFS: isLFS,
                order: order)
            if anchored.utf8.contains(where: { "*?[\\".utf8.contains($0) }) {
                patterns.append(rule)
            } else if rule.isWholePath {
                paths[ExactText(anchored)] = rule
            } else {
                names[ExactText(anchored)] = rule
            }
        }
    }

    /// The last rule that speaks of a filter decides.
    package func isLFS(_ path: String) -> Bool {
        let name = path.fileName
        let candidates = [
            patterns.last { $0.glob.matches($0.isWholePath ? path : name) },
            paths[ExactText(path)], names[ExactText(name)],
        ]
        return candidates.compactMap { $0 }.max { $0.order < $1.order }?.isLFS ?? false
    }

    private static func rule(_ line: String) -> (pattern: String, isLFS: Bool)? {
        let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard let pattern = words.first, !pattern.hasPrefix("#") else { return nil }
        let filters = words.dropFirst().filter {
            $0.hasPrefix("filter=") || $0 == "-filter" || $0 == "!filter"
        }
        guard let filter = filters.last else { return nil }
        return (unquoted(pattern), filter == "filter=lfs")
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
