import Logging

extension Committer {
    /// Keeps in the workspace how the last commit ended, for those who come when this process has
    /// gone.
    ///
    /// - Parameter failure: Why the edits are not at the Hub; nil when they are.
    package func note(failure: String?) {
        do throws(WriteBackError) {
            try workspace.journal.write { transaction in
                if let failure {
                    try transaction.set(.lastFailure, failure)
                } else {
                    try transaction.remove(.lastFailure)
                }
            }
        } catch {
            logger.warning("the end of the commit cannot be kept: \(error)")
        }
    }
}
