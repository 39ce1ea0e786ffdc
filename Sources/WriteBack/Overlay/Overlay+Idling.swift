import Platform

/// Whether a tree is still needed in memory.
extension Overlay {
    /// Whether something is edited, made, moved or removed that is in no commit, what is only here
    /// included.
    ///
    /// Locks: takes the tree's, then each file's.
    package var isEdited: Bool {
        let files = tree.withLock { tree -> [WorkingFile]? in
            let recorded = tree.nodes.values.filter { $0.isRecorded && $0.isLinked }
            return recorded.contains { $0.isMovedOrMade } ? nil : recorded.compactMap(\.file)
        }
        return files.map { $0.contains(where: \.isDirty) } ?? true
    }

    /// Whether the kernel knows anything below the root.
    package var isKnown: Bool {
        tree.withLock { tree in
            tree.nodes.values.contains { $0.lookupCount > 0 && $0.number != .root }
        }
    }
}

extension OverlayNode {
    /// Whether it is not what the base has at its path, its bytes not counted.
    fileprivate var isMovedOrMade: Bool {
        let path = (path ?? []).map(\.description).joined(separator: "/")
        return switch kind {
        case .link: true
        case .file(let file): file.base?.path != path
        case .directory(let directory):
            directory.lower != .base(path) || !directory.whiteouts.isEmpty
        }
    }
}
