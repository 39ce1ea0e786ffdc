/// Which names the Hub can store.
///
/// Source: the commit endpoint's refusals (422), and git's own rules for tree entries.
enum PublishableName {
    /// Longest path of the Hub, in characters. Source: the commit endpoint.
    static let pathCountMax = 1000

    /// Why a name cannot be stored; nil when it can.
    static func obstacle(_ name: EntryName) -> String? {
        guard let text = name.text else { return "the name is not UTF-8" }
        if text.utf8.contains(UInt8(ascii: "\\")) { return "the name contains a backslash" }
        if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            return "the name contains a control character"
        }
        // git takes these for its own folder, in any case of letters.
        if text.lowercased() == ".git" { return "\".git\" is git's own name" }
        return nil
    }

    /// Why a path cannot be stored, all of whose names can; nil when it can.
    static func obstacle(path: String) -> String? {
        path.unicodeScalars.count > pathCountMax
            ? "the path is longer than \(pathCountMax) characters" : nil
    }
}
