import HubClient

/// The part of all changes that belongs to some paths: those at and below them, and what they cannot
/// be published without.
///
/// - A rename goes with both its ends.
/// - A directory that was moved, or stands in the place of something else, goes as a whole.
/// - A removed directory goes as a whole, also when something in it was named.
struct ChangeSelection {
    private(set) var list: ChangeList
    /// Names of the base that are gone and stay an edit.
    private(set) var keptWhiteouts: Set<ExactPath> = []
    /// Directories that stay an edit with all that is in them.
    private(set) var untouched: Set<ExactPath> = []
    /// Changes that were not selected.
    private(set) var left: [Change] = []
    /// Paths at which there is nothing to select.
    private(set) var unedited: [String] = []

    private var groups = Groups()

    /// - Parameter paths: From the mounted directory; none for everything.
    init(of list: ChangeList, in tree: FrozenTree, paths: [String]) {
        self.list = list
        untouched = list.stuck
        if paths.isEmpty || paths.contains("") { return }
        groups.visit(tree.root, at: "", in: nil)
        groups.link()
        select(paths)
    }

    private mutating func select(_ paths: [String]) {
        unedited = paths.filter { path in
            !list.changes.contains { Self.concerns($0, path) }
                && !list.localOnly.contains { ChangeList.isAt($0.path, orBelow: path) }
        }
        var selected: Set<ExactPath> = []
        for change in list.changes where paths.contains(where: { Self.concerns(change, $0) }) {
            selected.insert(groups.group(of: change.path))
        }
        let all = list.changes
        list.changes = all.filter { selected.contains(groups.group(of: $0.path)) }
        left = all.filter { !selected.contains(groups.group(of: $0.path)) }
        list.localOnly = list.localOnly.filter { item in
            paths.contains { ChangeList.isAt(item.path, orBelow: $0) }
        }
        keptWhiteouts = groups.gone.filter { !selected.contains(groups.group(of: $0.text)) }
        untouched.formUnion(
            groups.units.filter { !selected.contains(groups.group(of: $0.text)) })
    }

    private static func concerns(_ change: Change, _ path: String) -> Bool {
        if ChangeList.isAt(change.path, orBelow: path) { return true }
        guard case .deletedDirectory = change.kind else { return false }
        return ChangeList.isAt(path, orBelow: change.path)
    }
}

extension ChangeSelection {
    /// Which paths go together.
    private struct Groups {
        /// Directories that go as a whole, the outermost.
        private(set) var units: Set<ExactPath> = []
        /// Names of the base that are gone, or that something else has.
        private(set) var gone: Set<ExactPath> = []
        /// Where something is, and where the base has it.
        private var moves: [(path: String, origin: ExactPath)] = []
        /// From one member of a group to another, up to the one that stands for all.
        private var links: [ExactPath: ExactPath] = [:]

        mutating func visit(_ directory: FrozenDirectory, at path: String, in unit: String?) {
            if unit == nil, directory.isInPlace(at: path) {
                for name in directory.whiteouts { gone.insert(ExactPath(Self.join(path, name))) }
            }
            for child in directory.children {
                let below = Self.join(path, child.name)
                switch child.kind {
                case .link: break
                case .file(let file):
                    if let base = file.base { moves.append((below, ExactPath(base.path))) }
                case .directory(let directory):
                    if let origin = directory.lower.origin {
                        moves.append((below, ExactPath(origin)))
                    }
                    var unit = unit
                    if unit == nil, !directory.isInPlace(at: below),
                        directory.lower != .none || gone.contains(ExactPath(below))
                    {
                        units.insert(ExactPath(below))
                        unit = below
                    }
                    visit(directory, at: below, in: unit)
                }
            }
        }

        mutating func link() {
            for (path, origin) in moves where origin != ExactPath(path) {
                guard let end = ([origin] + origin.parents).first(where: { gone.contains($0) })
                else { continue }
                let (first, second) = (group(of: path), group(of: end.text))
                if first != second { links[first] = second }
            }
        }

        /// The path that stands for all that go with this one.
        func group(of path: String) -> ExactPath {
            let path = ExactPath(path)
            var found = path.parents.last { units.contains($0) } ?? path
            while let next = links[found] { found = next }
            return found
        }

        private static func join(_ directory: String, _ name: EntryName) -> String {
            directory.isEmpty ? name.description : directory + "/" + name.description
        }
    }
}
