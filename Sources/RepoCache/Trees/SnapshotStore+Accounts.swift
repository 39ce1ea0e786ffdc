package import HubClient
import Logging
import Platform

extension SnapshotStore {
    /// Whether a revision of any repo of an account was ever resolved, by this process or another that
    /// had the cache. Asks the database alone; `completion` runs on the cache's worker.
    package func knows(
        _ kind: RepoKind, of author: String, completion: @escaping @Sendable (Bool) -> Void
    ) {
        let isSubmitted = worker.submit { [database, endpoint, logger] in
            do throws(CacheError) {
                completion(try database.knows(kind, of: author, at: endpoint))
            } catch {
                logger.warning("whether the cache knows \(author) cannot be read: \(error)")
                completion(false)
            }
        }
        if !isSubmitted { completion(false) }
    }
}
