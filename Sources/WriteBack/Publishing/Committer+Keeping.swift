import HubClient
import Platform

extension Committer {
    /// Makes objects of the workspace of files that stay in it while the directory around them, which
    /// was renamed, is committed: each goes on showing what the commit before has.
    ///
    /// - Parameter paths: From the mounted directory.
    /// - Returns: whether there were any.
    func keep(_ paths: [String]) throws(PublishError) -> Bool {
        if paths.isEmpty { return false }
        try withListings { overlay throws(WriteBackError) in try overlay.keep(paths) }
        return true
    }
}

extension Overlay {
    /// Has the journal know what is at these paths; what is gone meanwhile is left out.
    ///
    /// - Throws: `.listingNeeded`, as every operation.
    fileprivate func keep(_ paths: [String]) throws(WriteBackError) {
        try tree.withLock { tree throws(WriteBackError) in
            for path in paths {
                var node: OverlayNode? = tree.root
                for name in BaseMove.names(path) {
                    guard let parent = node, parent.directory != nil else { break }
                    node = try child(name, of: parent, &tree)
                }
                if let node { try record(node) }
            }
        }
    }
}
