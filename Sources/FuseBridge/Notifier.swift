import CFuse
import Platform

/// Tells the kernel that what it caches is no longer so.
///
/// A notification can wait for pages that a parked read holds, so it is sent from a thread of its
/// own: never while a request is answered, never under a lock.
/// Source: libfuse's doc/README.notifications.
package final class Notifier: Sendable {
    private let worker = Worker(name: "hubfs-notify")
    private let session: FuseSession

    package init(session: FuseSession) { self.session = session }

    /// Drops the pages of a file, so that the next read asks hubfs again.
    package func invalidatePages(of node: NodeID) {
        _ = worker.submit { [session] in session.notifyInvalidPages(of: node) }
    }

    /// Sends what is pending and ends the thread. Before the session ends.
    package func close() {
        worker.close()
    }
}
