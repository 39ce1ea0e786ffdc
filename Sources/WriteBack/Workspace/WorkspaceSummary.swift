package import HubClient

/// How much there is in a workspace, told by its journal alone: no listing is asked for, so that it
/// can be told without the Hub.
package struct WorkspaceSummary: Hashable, Sendable {
    /// The commit the edits are based on.
    package let base: CommitOID?
    /// Names at which something differs from the base, what stays in the workspace included: a
    /// rename is one, a directory counts if it was moved or removed, or is new and empty.
    package let editCount: Int
    /// A commit was begun, and whether the Hub has it was not asked yet.
    package let hasOpenCommit: Bool
    /// When the workspace was last written to, seconds since 1970.
    package let usedSeconds: Int64
    /// Why the last commit did not come about; nil when it did.
    package let lastFailure: String?
    /// Where commits go, if not to the branch it belongs to.
    package let target: String?
    /// Paths that others changed too, and about which nobody has decided.
    package let conflicts: [ConflictedPath]

    init(_ contents: JournalContents, usedSeconds: Int64) {
        base = contents.baseCommit
        hasOpenCommit = contents.plan != nil
        self.usedSeconds = usedSeconds
        lastFailure = contents.lastFailure
        target = contents.target
        conflicts = ConflictRecord(encoded: contents.conflicts)?.paths ?? []
        editCount = Self.editCount(contents)
    }

    private static func editCount(_ contents: JournalContents) -> Int {
        let edited = Set(contents.layers.map(\.node))
        let parents = Set(contents.nodes.compactMap(\.parent))
        var paths: [NodeNumber: String] = [:]
        var count = 0
        /// Paths of the base that are shown at another place, or hidden by what is counted.
        var accounted: Set<String> = []
        // A directory's number is not always below its children's: they can be moved.
        let byNumber = Dictionary(uniqueKeysWithValues: contents.nodes.map { ($0.number, $0) })
        func path(of node: NodeRecord) -> String {
            if let known = paths[node.number] { return known }
            guard let parent = node.parent.flatMap({ byNumber[$0] }) else { return "" }
            let above = path(of: parent)
            let path = above.isEmpty ? node.name.description : above + "/" + node.name.description
            paths[node.number] = path
            return path
        }
        for node in contents.nodes where node.parent != nil {
            let path = path(of: node)
            switch node.kind {
            case .link: count += 1
            case .file(let base):
                guard edited.contains(node.number) || base?.path != path else { continue }
                count += 1
                if let base { accounted.insert(base.path) }
            case .directory(.base(let redirect)):
                if redirect != path {
                    count += 1
                    accounted.insert(redirect)
                }
            case .directory(.commit): count += 1
            case .directory(.none): if !parents.contains(node.number) { count += 1 }
            }
            accounted.insert(path)
        }
        for (number, names) in contents.whiteouts {
            guard let directory = byNumber[number],
                case .directory(.base(let redirect)) = directory.kind
            else { continue }
            let shown = path(of: directory)
            for name in names {
                let old = redirect.isEmpty ? name.description : redirect + "/" + name.description
                let now = shown.isEmpty ? name.description : shown + "/" + name.description
                if !accounted.contains(old), !accounted.contains(now) { count += 1 }
            }
        }
        return count
    }
}
