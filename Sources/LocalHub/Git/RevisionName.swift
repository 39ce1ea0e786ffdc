/// A revision as a request names it, checked so that it cannot mean anything else to git.
package enum RevisionName: Hashable, Sendable {
    /// A full commit id.
    case commit(String)
    /// A full ref such as `refs/pr/1`.
    case ref(String)
    /// A branch, else a tag, else (if hex) the beginning of a commit id.
    case short(String)

    /// - Returns: nil if the text cannot name a revision.
    package init?(_ text: String) {
        if isHex(text, count: 40) {
            self = .commit(text)
        } else if text.hasPrefix("refs/") {
            guard Self.isValidRef(text) else { return nil }
            self = .ref(text)
        } else {
            guard Self.isValidRef("refs/heads/" + text) else { return nil }
            self = .short(text)
        }
    }

    /// The names to ask git for, the first that exists wins.
    var candidates: [String] {
        switch self {
        case .commit(let oid): return [oid]
        case .ref(let ref): return [ref]
        case .short(let name):
            let refs = ["refs/heads/" + name, "refs/tags/" + name]
            return isHex(name) && (7..<40).contains(name.utf8.count) ? refs + [name] : refs
        }
    }

    /// The rules of git-check-ref-format(1), and no name as long as to fail as a file name.
    package static func isValidRef(_ ref: String) -> Bool {
        guard ref.utf8.count <= 512, !ref.hasSuffix("/"), !ref.hasSuffix("."),
            !ref.contains(".."), !ref.contains("@{"), !ref.contains("//")
        else { return false }
        let forbidden = Set(" ~^:?*[\\\u{7f}".utf8)
        guard ref.utf8.allSatisfy({ $0 > 0x20 && !forbidden.contains($0) }) else { return false }
        return ref.split(separator: "/").allSatisfy {
            !$0.hasPrefix(".") && !$0.hasSuffix(".lock") && !$0.hasPrefix("-")
                && $0.utf8.count <= 250
        }
    }
}
