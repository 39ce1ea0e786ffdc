/// The first line of a commit nobody wrote one for: what changed, in few words.
enum CommitTitle {
    /// "Update config.json and 3 more files".
    static func text(for prepared: Prepared) -> String {
        let added = prepared.files.filter { $0.replaces == nil }.map(\.path)
        let modified = prepared.files.filter { $0.replaces != nil }.map(\.path)
        let deleted = prepared.deletedFiles + prepared.deletedDirectories.map(\.path)
        let count = added.count + modified.count + deleted.count
        let (verb, first) =
            if let path = modified.first {
                ("Update", path)
            } else if let path = added.first {
                ("Add", path)
            } else {
                ("Delete", deleted.first ?? "")
            }
        let verbs = [modified, added, deleted].filter { !$0.isEmpty }.count
        let name = first.split(separator: "/").last.map(String.init) ?? first
        guard count > 1 else { return "\(verb) \(name)" }
        let noun = count == 2 ? "file" : "files"
        return verbs == 1
            ? "\(verb) \(name) and \(count - 1) more \(noun)"
            : "Update \(name) and \(count - 1) more \(noun)"
    }
}
