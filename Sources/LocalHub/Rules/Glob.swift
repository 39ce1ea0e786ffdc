/// A shell pattern as git's attribute and ignore files use it.
///
/// `*` and `?` stop at `/` unless `crossesSlashes`; `**` does not; `[a-z]`, `[!a]` and `\x` work.
struct Glob: Sendable {
    private let pattern: [UInt8]
    private let crossesSlashes: Bool

    init(_ pattern: some StringProtocol, crossesSlashes: Bool = false) {
        self.pattern = Array(pattern.utf8)
        self.crossesSlashes = crossesSlashes
    }

    func matches(_ text: some StringProtocol) -> Bool {
        matches(pattern[...], Array(text.utf8)[...])
    }

    private func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        var pattern = pattern
        var text = text
        while let head = pattern.first {
            switch head {
            case UInt8(ascii: "*"):
                return matchesStar(pattern, text)
            case UInt8(ascii: "?"):
                guard let byte = text.first, byte != Self.slash || crossesSlashes else {
                    return false
                }
                pattern = pattern.dropFirst()
            case UInt8(ascii: "["):
                guard let byte = text.first, let rest = matchSet(pattern, byte) else {
                    return false
                }
                pattern = rest
            case UInt8(ascii: "\\") where pattern.count > 1:
                guard pattern[pattern.startIndex + 1] == text.first else { return false }
                pattern = pattern.dropFirst(2)
            default:
                guard head == text.first else { return false }
                pattern = pattern.dropFirst()
            }
            text = text.dropFirst()
        }
        return text.isEmpty
    }

    private static let slash = UInt8(ascii: "/")

    private func matchesStar(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        let stars = pattern.prefix { $0 == UInt8(ascii: "*") }.count
        let rest = pattern.dropFirst(stars)
        let crosses = crossesSlashes || stars > 1
        // "**/" also matches nothing at all: "a/**/b" matches "a/b".
        if stars > 1, rest.first == Self.slash, matches(rest.dropFirst(), text) { return true }
        if rest.isEmpty { return crosses || !text.contains(Self.slash) }
        var text = text
        while true {
            if matches(rest, text) { return true }
            guard let byte = text.first, crosses || byte != Self.slash else { return false }
            text = text.dropFirst()
        }
    }

    /// - Returns: the pattern after the set if the byte is in it.
    private func matchSet(_ pattern: ArraySlice<UInt8>, _ byte: UInt8) -> ArraySlice<UInt8>? {
        var rest = pattern.dropFirst()
        let isNegated = rest.first == UInt8(ascii: "!") || rest.first == UInt8(ascii: "^")
        if isNegated { rest = rest.dropFirst() }
        var isMember = false
        var isFirst = true
        while let low = rest.first, isFirst || low != UInt8(ascii: "]") {
            isFirst = false
            rest = rest.dropFirst()
            var high = low
            if rest.first == UInt8(ascii: "-"), let end = rest.dropFirst().first,
                end != UInt8(ascii: "]")
            {
                high = end
                rest = rest.dropFirst(2)
            }
            if low <= high, (low...high).contains(byte) { isMember = true }
        }
        guard rest.first == UInt8(ascii: "]"), byte != Self.slash else { return nil }
        return isMember != isNegated ? rest.dropFirst() : nil
    }
}
