import HubClient
import Platform

/// What became of a wish to have the base again at some paths.
package struct Discarding: Sendable {
    /// Names that show the base again; 0 when anything below is not empty: nothing has changed then.
    package internal(set) var count = 0
    /// Paths that a program can write to now.
    package internal(set) var busy: [String] = []
    /// Wished-for paths at which nothing is edited.
    package internal(set) var unedited: [String] = []
    /// What to tell the kernel.
    var stale: [StaleEntry] = []
}

extension Overlay {
    /// Shows the base again at these paths and below them. What was made or moved there is gone;
    /// whoever has it open keeps its bytes. What stands there then is another object: never do bytes
    /// change under a handle.
    ///
    /// Modes and times of directories that stay are left as they are.
    ///
    /// - Parameter paths: From the mounted directory; "" for all of it.
    /// - Throws: `.listingNeeded`, as every operation.
    func discard(_ paths: [String]) throws(WriteBackError) -> Discarding {
        let discarding = try tree.withLock { tree throws(WriteBackError) -> Discarding in
            var plan = DiscardPlan(overlay: self)
            var result = Discarding()
            // What contains others comes before them.
            for path in paths.sorted(by: { $0.utf8.count < $1.utf8.count }) {
                if try !plan.add(path, from: tree.root) { result.unedited.append(path) }
            }
            result.busy = plan.busyPaths
            guard result.unedited.isEmpty, result.busy.isEmpty else { return result }
            result.count = plan.names.count
            result.stale = plan.names.map { StaleEntry(parent: $0.parent.number, name: $0.name) }
            if !plan.names.isEmpty { try apply(plan, &tree) }
            return result
        }
        try staging.settleDiscarded()
        return discarding
    }

    private func apply(_ plan: DiscardPlan, _ tree: inout Tree) throws(WriteBackError) {
        let dropped = plan.dropped.flatMap(\.subtree)
        try staging.writeDurably { transaction in
            for node in dropped where node.isRecorded { try transaction.remove(node.number) }
            for layer in dropped.compactMap(\.file).flatMap(\.layerNumbers) {
                try transaction.removeLayer(layer)
            }
            for name in plan.names where name.isHidden {
                try transaction.removeWhiteout(name.name, in: name.parent.number)
            }
        }
        for name in plan.names where name.isHidden {
            name.parent.directory!.whiteouts.remove(name.name)
        }
        // The deepest come first, so that nothing is left without its directory.
        for node in dropped {
            guard let directory = node.parent?.directory else { continue }
            detach(node, from: directory, &tree)
        }
        tree.changeCount += 1
    }
}

/// The names that change when edits are discarded. Only used under the overlay's lock.
struct DiscardPlan {
    /// One name that shows the base again.
    struct Name {
        let parent: OverlayNode
        let name: EntryName
        /// What stands there now; nil where the base's object was removed.
        let node: OverlayNode?
        /// The base has the name, and a whiteout hides it.
        let isHidden: Bool
    }

    private(set) var names: [Name] = []
    private let overlay: Overlay
    private var entries: Set<StaleEntry> = []
    private var droppedNumbers: Set<NodeNumber> = []

    init(overlay: Overlay) { self.overlay = overlay }

    /// Objects that lose their names, with all below them.
    var dropped: [OverlayNode] { names.compactMap(\.node) }

    /// Files of those that a program can write to.
    var busyPaths: [String] {
        dropped.flatMap(\.subtree).filter { $0.file?.hasWriters == true }.compactMap { node in
            node.path?.map(\.description).joined(separator: "/")
        }
    }

    /// - Returns: false when nothing is edited at the path, nor below it.
    mutating func add(_ path: String, from root: OverlayNode) throws(WriteBackError) -> Bool {
        let components = path.utf8.split(separator: UInt8(ascii: "/")).map { EntryName(Array($0)) }
        guard let last = components.last else {
            try addAll(in: root)
            return true
        }
        var node = root
        for name in components.dropLast() {
            guard let child = node.directory?.children[name] else { return false }
            if droppedNumbers.contains(child.number) { return true }
            node = child
        }
        guard node.directory != nil else { return false }
        let countBefore = names.count
        let isKnown = entries.contains(StaleEntry(parent: node.number, name: last))
        try add(last, in: node)
        return isKnown || names.count > countBefore
    }

    private mutating func addAll(in node: OverlayNode) throws(WriteBackError) {
        guard let directory = node.directory else { return }
        let edited = directory.children.values.filter(\.isRecorded).map(\.name)
        for name in directory.whiteouts.union(edited).sorted() { try add(name, in: node) }
    }

    private mutating func add(
        _ name: EntryName, in parent: OverlayNode
    ) throws(WriteBackError) {
        let entry = StaleEntry(parent: parent.number, name: name)
        if entries.contains(entry) { return }
        let directory = try overlay.listed(parent)
        let original = directory.listing.flatMap { listing in
            listing.index(of: name).map { listing.kind(at: $0) }
        }
        let isHidden = directory.whiteouts.contains(name)
        let child = directory.children[name]
        if !isHidden, let child, let original {
            // The base's own object, edited or not.
            switch (child.kind, original) {
            case (.directory, .directory): return try addAll(in: child)
            case (.file(let file), .file(let content, _)):
                if !file.isDirty, file.base?.content == content { return }
            default: break
            }
        } else if !isHidden, child?.isRecorded != true {
            return
        }
        entries.insert(entry)
        if let child { droppedNumbers.insert(child.number) }
        names.append(
            Name(parent: parent, name: name, node: child, isHidden: isHidden))
    }
}
