import Logging
import Platform

extension Committer {
    /// Directories that may have to be listed to discard what was edited in them.
    private static let listingCountMax = 100_000

    /// Gives up the edits of these paths and shows the base again, while the mount goes on.
    ///
    /// - Parameter paths: From the mounted directory; "" for everything.
    /// - Returns: what was done; a program that can write to one of the files keeps all as it is.
    package func discard(_ paths: [String]) throws(PublishError) -> Discarding {
        // Whether a commit took effect is settled before anything of it is given up.
        try finishPlan()
        let overlay = workspace.overlay
        for _ in 0..<Self.listingCountMax {
            do throws(WriteBackError) {
                let discarding = try overlay.discard(paths)
                if discarding.count > 0 {
                    observer.withLock { $0 }?.changed(discarding.stale)
                    logger.notice("\(discarding.count) edits were discarded")
                }
                return discarding
            } catch {
                guard case .listingNeeded(let number, let path) = error else {
                    throw .workspace(error)
                }
                let commit = overlay.baseCommit
                let listing = try source.listing(of: path, at: commit)
                overlay.setListing(listing, of: number, path: path, commit: commit)
            }
        }
        throw .base("there are too many directories")
    }
}
