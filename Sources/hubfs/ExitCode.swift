/// How `hubfs` ends. Scripts rely on the numbers; docs/ERRORS.md shows the same table to users.
enum ExitCode: Int32 {
    case success = 0
    /// Something went wrong that has no code of its own.
    case failure = 1
    /// The command line was not understood.
    case usage = 2
    /// The Hub has no such repo, revision or path, or hides it.
    case notFound = 3
    /// The Hub refuses: no token, a bad one, or a gated repo.
    case accessRefused = 4
    /// Edits are not at the Hub yet, and kept: it could not be reached, or there was no time.
    case unsent = 5
    /// The Hub cannot be asked now: no network, its rate limit, or its own trouble.
    case hubUnavailable = 6
    /// The mount point is missing, no directory, mounted already, or not mounted.
    case mountPoint = 7
    /// Somebody uses the mount.
    case busy = 8
    /// The kernel's FUSE cannot be used: device, fusermount3 or permission.
    case fuseUnavailable = 9
    /// The cache, or another local file, cannot be used.
    case localStorage = 10
    /// Bytes are not what their name promises.
    case damaged = 11
    /// A daemon did not answer or end in time.
    case timedOut = 12
    /// The branch was changed at the same paths: edits are kept until somebody decides.
    case conflict = 13
    /// The Hub refuses what was edited: rights, quota, names or contents. Edits are kept.
    case refused = 14
    /// Not everything that was asked for is in the cache.
    case incomplete = 15
}

/// Why a command ends early: a sentence for people and a code for scripts.
struct Failure: Error {
    let code: ExitCode
    /// What is wrong and what to do, without a full stop at the end.
    let sentence: String

    init(_ code: ExitCode, _ sentence: String) {
        self.code = code
        self.sentence = sentence
    }
}
