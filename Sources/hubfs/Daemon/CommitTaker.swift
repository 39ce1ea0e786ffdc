import WriteBack

/// Takes the commits of a mount: of one repo, or of all that are edited in the whole Hub's tree.
///
/// Nothing here waits: a completion runs once, on any thread, when it is done or cannot be.
protocol CommitTaker: Sendable {
    /// Decides what the end of the mount does; it can be changed until then.
    ///
    /// - Parameter ending: nil for what was said when it was mounted.
    func setEnding(_ ending: CommitDesk.Ending?)

    /// Publishes edits.
    func commit(_ wish: CommitWish, completion: @escaping @Sendable (CommitResult) -> Void)

    /// Calls `completion` when the next finish is done, whoever asks for it.
    func onFinish(completion: @escaping @Sendable (CommitResult) -> Void)

    /// Does what the end of the mount asks for.
    func finish(completion: @escaping @Sendable (CommitResult) -> Void)

    /// Moves to the head of the branch, with the edits.
    func pull(completion: @escaping @Sendable (CommitResult) -> Void)

    /// Gives up the edits of these paths while the mount goes on.
    ///
    /// - Parameter paths: From the mounted directory; "" for everything.
    func discard(_ paths: [String], completion: @escaping @Sendable (CommitResult) -> Void)

    /// Decides conflicts while the mount goes on.
    ///
    /// - Parameter paths: From the mounted directory; "" for every conflict.
    func resolve(
        _ paths: [String], for side: ConflictSide,
        completion: @escaping @Sendable (CommitResult) -> Void)
}

extension CommitDesk: CommitTaker {}
