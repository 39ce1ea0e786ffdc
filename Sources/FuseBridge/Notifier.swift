import CFuse
import Glibc
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
        _ = invalidateInode(node)
    }

    /// Drops the cached listing of a directory, and its attributes.
    ///
    /// `invalidateEntry` does it only for names the kernel knows: a directory that gets a new name
    /// needs this as well, or the name stays missing in its listing.
    ///
    /// - Returns: false when too many notifications wait: nothing is sent, call again later.
    package func invalidateDirectory(_ node: NodeID) -> Bool {
        invalidateInode(node)
    }

    /// Makes the kernel forget what a name stands for, that it is absent included. What is mounted
    /// below it is unmounted.
    ///
    /// The kernel locks the directory for it, so it waits for requests in that directory.
    ///
    /// - Returns: As `invalidateDirectory`.
    package func invalidateEntry(_ name: FileName, in parent: NodeID) -> Bool {
        worker.submit { [session] in Self.sendInvalidEntry(name, in: parent, to: session) }
    }

    private static func sendInvalidEntry(
        _ name: FileName, in parent: NodeID, to session: FuseSession
    ) {
        session.notify { session in
            // ENOENT says that the kernel does not know the name.
            name.withCharacters { characters in
                fuse_lowlevel_notify_inval_entry(
                    session, fuse_ino_t(parent.number), characters.baseAddress, characters.count)
            }
        }
    }

    /// Makes the kernel forget many names and the listings of their directories, as one notification:
    /// however many there are, none is left out.
    ///
    /// - Parameter directories: More directories whose listings and attributes it is to forget.
    /// - Parameter patienceSeconds: How long to wait until it is done. The kernel itself waits for
    ///   requests in those directories, which can wait for the network.
    package func invalidateEntries(
        _ entries: [(name: FileName, parent: NodeID)], directories: [NodeID] = [],
        patienceSeconds: Double
    ) {
        let isDone = Monitor(false)
        let isTaken = worker.submit { [session] in
            for (name, parent) in entries {
                Self.sendInvalidEntry(name, in: parent, to: session)
            }
            for directory in Set(entries.map(\.parent)).union(directories) {
                Self.sendInvalidInode(directory, to: session)
            }
            isDone.update { $0 = true }
        }
        guard isTaken else { return }
        let deadline = MonotonicInstant.now.advanced(bySeconds: patienceSeconds)
        _ = isDone.wait(until: deadline) { $0 ? true : nil }
    }

    /// Makes the kernel ask for a name again at its next use, and leaves what is mounted below it
    /// alone. Where the kernel cannot (Linux before 6.2), the same as `invalidateEntry`.
    ///
    /// - Returns: As `invalidateDirectory`.
    package func expireEntry(_ name: FileName, in parent: NodeID) -> Bool {
        worker.submit { [session] in
            session.notify { session in
                name.withCharacters { characters in
                    let parent = fuse_ino_t(parent.number)
                    let (start, count) = (characters.baseAddress, characters.count)
                    let status = fuse_lowlevel_notify_expire_entry(
                        session, parent, start, count, FUSE_LL_EXPIRE_ONLY)
                    guard status == -ENOSYS else { return }
                    fuse_lowlevel_notify_inval_entry(session, parent, start, count)
                }
            }
        }
    }

    private func invalidateInode(_ node: NodeID) -> Bool {
        worker.submit { [session] in Self.sendInvalidInode(node, to: session) }
    }

    private static func sendInvalidInode(_ node: NodeID, to session: FuseSession) {
        session.notify { session in
            // ENOENT says that the kernel had forgotten the node: nothing was cached.
            fuse_lowlevel_notify_inval_inode(session, fuse_ino_t(node.number), 0, 0)
        }
    }

    /// Sends what is pending and ends the thread. Before the session ends.
    package func close() {
        worker.close()
    }
}

extension FileName {
    /// Runs `body` with the name in C's form, its terminating NUL not counted: libfuse sends that
    /// along by itself.
    fileprivate func withCharacters(_ body: (UnsafeBufferPointer<CChar>) -> Void) {
        let characters = bytes.map { CChar(bitPattern: $0) } + [0]
        characters.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0.dropLast())) }
    }
}
