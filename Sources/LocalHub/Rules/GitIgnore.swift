/// A root `.gitignore`. Source: gitignore(5).
package struct GitIgnore: Sendable {
    private struct Rule {
        let glob: Glob
        let isWholePath: Bool
        let isNegated: Bool
        let isForDirectories: Bool
    }

    private let rules: [Rule]

    package init(_ text: String) {
        rules = text.byteLines.compactMap(Self.rule)
    }

    /// Whether the file is ignored, itself or through a folder it is in.
    package func ignores(_ path: String) -> Bool {
        path.foldersAbove.contains { verdict($0, isDirectory: true) }
            || verdict(path, isDirectory: false)
    }

    private func verdict(_ path: String, isDirectory: Bool) -> Bool {
        let name = path.fileName
        let rule = rules.last { rule in
            (isDirectory || !rule.isForDirectories)
                && rule.glob.matches(rule.isWholePath ? path : name)
        }
        return rule.map { !$0.isNegated } ?? false
    }

    private static func rule(_ line: String) -> Rule? {
        var pattern = line[...]
        while pattern.last == " ", !pattern.hasSuffix("\\ ") { pattern = pattern.dropLast() }
        guard let first = pattern.first, first != "#" else { return nil }
        let isNegated = first == "!"
        if isNegated { pattern = pattern.dropFirst() }
        let isForDirectories = pattern.hasSuffix("/")
        if isForDirectories { pattern = pattern.dropLast() }
        let isWholePath = pattern.contains("/")
        if pattern.hasPrefix("/") { pattern = pattern.dropFirst() }
        guard !pattern.isEmpty else { return nil }
        return Rule(
            glob: Glob(pattern), isWholePath: isWholePath, isNegated: isNegated,
            isForDirectories: isForDirectories)
    }
}
