package import HubClient

/// Why edits are not at the Hub. Whatever the case, the workspace keeps them.
package enum PublishError: Error, Sendable {
    /// The Hub refused or could not be asked.
    case hub(HubError)
    /// The workspace could not be read or written.
    case workspace(WriteBackError)
    /// Bytes of the base that an edit needs could not be read; the text says which and why.
    case base(String)
    /// The Hub does not have the commit any more that the edits were made on.
    case baseLost(CommitOID)
    /// The branch is at another commit than the one sent was made for.
    case stale(head: CommitOID)
    /// The branch has foreign changes of the same paths.
    case conflict([String])
    /// Programs can write to what would have to become another file.
    case busy([String])
    /// Nothing is edited at these paths.
    case unedited([String])
    /// The repo has no such branch.
    case noBranch(String)
    /// The answer to the commit was lost, and the Hub cannot be asked whether it took effect.
    case unknownOutcome(HubError)
    /// The Hub took the commit, but shows something else at these paths. It counts as somebody
    /// else's: nothing of it is taken over, and the next commit is compared with it.
    case mismatch(commit: CommitOID, paths: [String])
    /// A bucket did not take some files; the others it did.
    case notTaken([BucketFailure])
    /// Somebody asked to stop.
    case cancelled
}

extension PublishError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .hub(let error): error.sentence
        case .workspace(let error): error.description
        case .base(let text): text
        case .baseLost(let commit):
            "the Hub does not have commit \(commit.hex) any more, on which the edits were made; they are "
                + "kept: hubfs umount --no-commit, then mount again, moves them onto the branch's head"
        case .stale(let head): "the branch is at \(head.hex) by now"
        case .conflict(let paths):
            "others changed the same paths: \(Self.list(paths)); hubfs resolve decides which version stays"
        case .busy(let paths): "open for writing: \(Self.list(paths)); nothing was done"
        case .unedited(let paths): "nothing is edited at \(Self.list(paths)); nothing was committed"
        case .noBranch(let name): "the repo has no branch \(name); --create-branch makes it"
        case .unknownOutcome(let error):
            "the Hub did not say whether it took the commit (\(error.sentence)); "
                + "it is asked again before anything else is sent"
        case .mismatch(let commit, let paths):
            "the Hub made commit \(commit.hex) of what was sent, with something else at "
                + "\(Self.list(paths)); the edits are kept, and hubfs resolve decides which version stays"
        case .notTaken(let failures):
            "the bucket did not take \(Self.list(failures.map { "\($0.path) (\($0.reason))" }))"
        case .cancelled: "the commit was interrupted"
        }
    }

    private static func list(_ paths: [String]) -> String {
        paths.prefix(5).joined(separator: ", ")
            + (paths.count > 5 ? " and \(paths.count - 5) more" : "")
    }
}
