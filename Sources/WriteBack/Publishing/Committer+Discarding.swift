import Logging
import Platform

extension Committer {
    /// Gives up the edits of these paths and shows the base again, while the mount goes on.
    ///
    /// - Parameter paths: From the mounted directory; "" for everything.
    /// - Returns: what was done; a program that can write to one of the files keeps all as it is.
    package func discard(_ paths: [String]) throws(PublishError) -> Discarding {
        // Whether a commit took effect is settled before anything of it is given up.
        try finishPlan()
        let discarding = try withListings { overlay throws(WriteBackError) in
            try overlay.discard(paths)
        }
        if discarding.count > 0 {
            observer.withLock { $0 }?.changed(discarding.stale)
            logger.notice("\(discarding.count) edits were discarded")
            try forgetConflicts(at: paths)
        }
        return discarding
    }
}
