/// Is told when the tree shows something else than the kernel remembers.
package protocol TreeObserver: AnyObject, Sendable {
    /// Names of these directories are other objects now, or gone. Called on a commit's thread.
    func changed(_ entries: [StaleEntry])
}
