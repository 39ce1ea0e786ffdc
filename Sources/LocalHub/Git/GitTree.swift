/// What a tree entry names.
enum EntryKind: Sendable {
    case directory
    case file
    case executable
    case symlink
    case submodule

    init?(mode: ArraySlice<UInt8>) {
        switch String(decoding: mode, as: UTF8.self) {
        case "40000": self = .directory
        case "100755": self = .executable
        case "120000": self = .symlink
        case "160000": self = .submodule
        case let mode where mode.hasPrefix("100"): self = .file
        default: return nil
        }
    }

    var isDirectory: Bool { self == .directory }
}

/// One name in a tree object.
struct TreeEntry: Sendable {
    let name: String
    let kind: EntryKind
    /// 40 hex digits: the blob's or the tree's.
    let oid: String
}

/// A parsed tree object, its entries in git's order (directories sort as if they ended in `/`).
final class GitTree: Sendable {
    let entries: [TreeEntry]
    private let index: [ExactText: Int]

    /// Parses `mode SP name NUL oid(20)` repeated. Source: git's own parser, tree-walk.c.
    init(parsing bytes: [UInt8]) throws(GitError) {
        var entries: [TreeEntry] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let space = rest.firstIndex(of: 0x20),
                let end = rest[space...].firstIndex(of: 0),
                end + 20 < rest.endIndex,
                let kind = EntryKind(mode: rest[..<space])
            else { throw .unexpected("a tree object that does not parse") }
            let name = String(decoding: rest[(space + 1)..<end], as: UTF8.self)
            let oid = hex(rest[(end + 1)...(end + 20)])
            entries.append(TreeEntry(name: name, kind: kind, oid: oid))
            rest = rest[(end + 21)...]
        }
        self.entries = entries
        self.index = Dictionary(
            entries.indices.map { (ExactText(entries[$0].name), $0) },
            uniquingKeysWith: { first, _ in first })
    }

    subscript(name: String) -> TreeEntry? {
        index(of: name).map { entries[$0] }
    }

    func index(of name: String) -> Int? {
        index[ExactText(name)]
    }
}
