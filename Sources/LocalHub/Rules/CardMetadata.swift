import Yams

/// What is wrong with the metadata at the head of a README: YAML between two lines `---`.
///
/// It must parse, be a mapping, and have values of the right kinds at the keys every repo shares.
/// Which licences, languages and tasks there are is not known here.
package struct CardMetadata: Sendable {
    /// Each keeps the README out of a commit.
    package private(set) var errors: [String] = []
    package private(set) var warnings: [String] = []

    /// What a key's value must be.
    private enum Shape {
        case text
        case textOrList
        case list
        /// Of anything.
        case sequence
    }

    private static let shapes: [(key: String, shape: Shape)] = [
        ("license", .textOrList), ("license_name", .text), ("license_link", .text),
        ("language", .textOrList), ("tags", .list), ("datasets", .list), ("metrics", .list),
        ("base_model", .textOrList), ("pipeline_tag", .text), ("library_name", .text),
        ("pretty_name", .text), ("model-index", .sequence),
    ]

    package init(_ readme: String) {
        let lines = readme.byteLines
        guard lines.first == "---" else {
            warnings.append("empty or missing yaml metadata in repo card")
            return
        }
        let block = lines.dropFirst().prefix { $0 != "---" }
        guard block.count < lines.count - 1 else {
            errors.append("The metadata has no end: '---' is missing.")
            return
        }
        check(block.joined(separator: "\n"))
    }

    private mutating func check(_ text: String) {
        do {
            guard let root = try Yams.compose(yaml: text) else {
                warnings.append("empty or missing yaml metadata in repo card")
                return
            }
            guard let mapping = root.mapping else {
                errors.append("The metadata must be a mapping of keys to values.")
                return
            }
            for (key, shape) in Self.shapes {
                guard let value = mapping[Node(key)] else { continue }
                check(value, key, shape)
            }
        } catch {
            errors.append("bad YAML: \(error)")
        }
    }

    private mutating func check(_ value: Node, _ key: String, _ shape: Shape) {
        let items = value.sequence.map(Array.init)
        switch shape {
        case .text where !Self.isText(value):
            errors.append("\"\(key)\" must be a string")
        case .textOrList where !Self.isText(value) && items?.allSatisfy(Self.isText) != true:
            errors.append("\"\(key)\" must be a string or an array of strings")
        case .list where items?.allSatisfy(Self.isText) != true:
            errors.append("\"\(key)\" must be an array of strings")
        case .sequence where items == nil:
            errors.append("\"\(key)\" must be an array")
        default: break
        }
    }

    /// A string. Words as `no`, which YAML 1.1 takes for truth values and YAML 1.2 does not, are
    /// strings: one of them is a language.
    private static func isText(_ value: Node) -> Bool {
        guard let scalar = value.scalar else { return false }
        let words: Set = ["y", "n", "yes", "no", "on", "off"]
        return value.any is String || words.contains(scalar.string.lowercased())
    }
}
