/// A path as git has it: two are the same if their bytes are. To Swift texts are equal whose letters
/// are composed in different ways, and a repo can have both.
package struct ExactPath: Hashable, Sendable, ExpressibleByStringLiteral {
    package let text: String

    package init(_ text: String) { self.text = text }

    package init(stringLiteral text: String) { self.text = text }

    /// The directories above it, the nearest first, without the root.
    var parents: [ExactPath] {
        var parents: [ExactPath] = []
        var rest = text[...]
        while let slash = rest.lastIndex(of: "/") {
            rest = rest[..<slash]
            parents.append(ExactPath(String(rest)))
        }
        return parents
    }

    package static func == (left: ExactPath, right: ExactPath) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
