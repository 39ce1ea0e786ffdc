/// A pattern for paths, read as huggingface_hub reads `allow_patterns`: `*` stands for any text,
/// slashes too, `?` for one character, `[abc]`, `[a-z]` and `[!abc]` for one of a set; a pattern that
/// ends with a slash means everything below.
///
/// Sources: Python's `fnmatch.translate`; huggingface_hub's `filter_repo_objects`.
struct FilePattern {
    private enum Part {
        case anyText
        case anyOne
        case one(Unicode.Scalar)
        /// Of ranges, of which the negated set is every character outside.
        case oneOf([ClosedRange<Unicode.Scalar>], isNegated: Bool)

        func matches(_ character: Unicode.Scalar) -> Bool {
            switch self {
            case .anyText, .anyOne: true
            case .one(let own): own == character
            case .oneOf(let ranges, let isNegated):
                ranges.contains { $0.contains(character) } != isNegated
            }
        }
    }

    let text: String
    private let parts: [Part]

    init(_ text: String) {
        self.text = text
        let characters = Array((text.hasSuffix("/") ? text + "*" : text).unicodeScalars)
        var parts: [Part] = []
        var index = 0
        while index < characters.count {
            switch characters[index] {
            case "*": parts.append(.anyText)
            case "?": parts.append(.anyOne)
            case "[":
                guard let end = Self.endOfSet(characters, after: index) else { fallthrough }
                parts.append(Self.set(characters[index + 1..<end]))
                index = end
            default: parts.append(.one(characters[index]))
            }
            index += 1
        }
        self.parts = parts
    }

    /// Whether the pattern stands for the whole path.
    func matches(_ path: String) -> Bool {
        let path = Array(path.unicodeScalars)
        var (part, index) = (0, 0)
        // Where to go on when what follows the last `*` does not fit: it takes one character more.
        var retry: (part: Int, index: Int)?
        while index < path.count {
            if part < parts.count, case .anyText = parts[part] {
                retry = (part + 1, index)
                part += 1
            } else if part < parts.count, parts[part].matches(path[index]) {
                part += 1
                index += 1
            } else if let last = retry {
                retry = (last.part, last.index + 1)
                (part, index) = (last.part, last.index + 1)
            } else {
                return false
            }
        }
        return parts[part...].allSatisfy { if case .anyText = $0 { true } else { false } }
    }

    /// Where the set that begins at a bracket ends; a bracket right at its start belongs to it.
    private static func endOfSet(_ characters: [Unicode.Scalar], after bracket: Int) -> Int? {
        var index = bracket + 1
        if index < characters.count, characters[index] == "!" { index += 1 }
        if index < characters.count, characters[index] == "]" { index += 1 }
        return characters[min(index, characters.count)...].firstIndex(of: "]")
    }

    private static func set(_ content: ArraySlice<Unicode.Scalar>) -> Part {
        let isNegated = content.first == "!"
        let members = Array(content.dropFirst(isNegated ? 1 : 0))
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        var index = 0
        while index < members.count {
            guard index + 2 < members.count, members[index + 1] == "-" else {
                ranges.append(members[index]...members[index])
                index += 1
                continue
            }
            // One that runs backwards holds nothing.
            if members[index] <= members[index + 2] {
                ranges.append(members[index]...members[index + 2])
            }
            index += 3
        }
        return .oneOf(ranges, isNegated: isNegated)
    }
}
