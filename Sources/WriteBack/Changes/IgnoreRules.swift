/// What is never committed: the defaults, and the lines of a `.hubfsignore`.
///
/// The lines mean what they mean in a `.gitignore`. Source: git's documentation, gitignore(5).
package struct IgnoreRules: Sendable {
    private struct Rule {
        /// Components of the pattern; one of "**" stands for any number of directories.
        let components: [[UInt8]]
        let isNegated: Bool
        let isForDirectories: Bool
    }

    /// What programs leave behind, and no one means to publish.
    package static let defaults =
        [
            ".git/", ".cache/huggingface/", "*.swp", "*.swx", ".#*", "__pycache__/",
            ".ipynb_checkpoints/", ".DS_Store", ".nfs*", ".fuse_hidden*",
        ] + SetAside.patterns

    private let rules: [Rule]

    /// - Parameter lines: Patterns, the later ones winning.
    package init(lines: [String] = []) { self.init(patterns: Self.defaults + lines) }

    /// Rules without the defaults.
    init(patterns: [String]) { rules = patterns.compactMap { Self.rule($0) } }

    /// Whether a path is ignored, by itself or by a directory above it.
    package func matches(_ path: String, isDirectory: Bool) -> Bool {
        let names = path.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
        for count in 1...max(names.count, 1) where count <= names.count {
            let isWhole = count == names.count
            if isIgnored(Array(names.prefix(count)), isDirectory: !isWhole || isDirectory) {
                return true
            }
        }
        return false
    }

    private func isIgnored(_ names: [[UInt8]], isDirectory: Bool) -> Bool {
        let last = rules.last { rule in
            (isDirectory || !rule.isForDirectories) && Self.match(rule.components[...], names[...])
        }
        return last.map { !$0.isNegated } ?? false
    }

    private static func rule(_ line: String) -> Rule? {
        var text = Array(line.utf8)
        if text.last == UInt8(ascii: "\r") { text.removeLast() }
        while text.last == UInt8(ascii: " "), text.dropLast().last != UInt8(ascii: "\\") {
            text.removeLast()
        }
        if text.isEmpty || text.first == UInt8(ascii: "#") { return nil }
        var isNegated = false
        if text.first == UInt8(ascii: "!") {
            isNegated = true
            text.removeFirst()
        }
        let isForDirectories = text.last == UInt8(ascii: "/")
        if isForDirectories { text.removeLast() }
        // A slash before the end ties the pattern to the folder of the file, else it fits anywhere.
        let isAnchored = text.contains(UInt8(ascii: "/"))
        var components = text.split(separator: UInt8(ascii: "/")).map { Array($0) }
        if components.isEmpty { return nil }
        if !isAnchored { components.insert(Array("**".utf8), at: 0) }
        return Rule(
            components: components, isNegated: isNegated, isForDirectories: isForDirectories)
    }

    private static func match(
        _ pattern: ArraySlice<[UInt8]>, _ names: ArraySlice<[UInt8]>
    ) -> Bool {
        guard let first = pattern.first else { return names.isEmpty }
        if first == Array("**".utf8) {
            let rest = pattern.dropFirst()
            if rest.isEmpty { return !names.isEmpty }
            return names.indices.contains { match(rest, names[$0...]) }
        }
        guard let name = names.first, matchName(first[...], name[...]) else { return false }
        return match(pattern.dropFirst(), names.dropFirst())
    }

    /// `*`, `?`, `[a-z]`, `[!a]` and backslash within one name. Source: man 7 glob.
    private static func matchName(
        _ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>
    ) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        switch first {
        case UInt8(ascii: "*"):
            let rest = pattern.dropFirst()
            return (name.startIndex...name.endIndex).contains { matchName(rest, name[$0...]) }
        case UInt8(ascii: "?"):
            return !name.isEmpty && matchName(pattern.dropFirst(), name.dropFirst())
        case UInt8(ascii: "["):
            guard let byte = name.first, let set = ByteSet(pattern) else {
                return name.first == first && matchName(pattern.dropFirst(), name.dropFirst())
            }
            return set.contains(byte) && matchName(set.rest, name.dropFirst())
        case UInt8(ascii: "\\") where pattern.count > 1:
            let escaped = pattern.dropFirst()
            return name.first == escaped.first
                && matchName(escaped.dropFirst(), name.dropFirst())
        default:
            return name.first == first && matchName(pattern.dropFirst(), name.dropFirst())
        }
    }

    /// `[…]` of a pattern.
    private struct ByteSet {
        let rest: ArraySlice<UInt8>
        private var ranges: [ClosedRange<UInt8>] = []
        private var isNegated = false

        /// - Returns: nil when the bracket is not closed.
        init?(_ pattern: ArraySlice<UInt8>) {
            var index = pattern.startIndex + 1
            if index < pattern.endIndex,
                pattern[index] == UInt8(ascii: "!") || pattern[index] == UInt8(ascii: "^")
            {
                isNegated = true
                index += 1
            }
            let start = index
            while index < pattern.endIndex, pattern[index] != UInt8(ascii: "]") || index == start {
                if index + 2 < pattern.endIndex, pattern[index + 1] == UInt8(ascii: "-"),
                    pattern[index + 2] != UInt8(ascii: "]"), pattern[index] <= pattern[index + 2]
                {
                    ranges.append(pattern[index]...pattern[index + 2])
                    index += 3
                } else {
                    ranges.append(pattern[index]...pattern[index])
                    index += 1
                }
            }
            guard index < pattern.endIndex else { return nil }
            rest = pattern[(index + 1)...]
        }

        func contains(_ byte: UInt8) -> Bool {
            ranges.contains { $0.contains(byte) } != isNegated
        }
    }
}
