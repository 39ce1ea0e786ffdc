/// How edits are sent while the mount lives.
struct CommitPace: Hashable, Sendable {
    /// Again and again after as long; nil: after a burst of changes.
    var intervalSeconds: Double?
    /// Without a change for as long, a burst of them is over.
    var quietSeconds = 5.0
    /// A burst that lasts longer is not waited for.
    var latestSeconds = Double.infinity
    /// Between two commits.
    var pauseSeconds = 0.0

    /// The Hub allows 128 commits of a repo in an hour.
    private static let repoPauseSeconds = 60.0

    /// After each burst, as a repo bears it.
    static let repo = CommitPace(pauseSeconds: repoPauseSeconds)
    /// As a repo bears it at most.
    static func repo(everySeconds seconds: Double) -> CommitPace {
        CommitPace(intervalSeconds: seconds, pauseSeconds: repoPauseSeconds)
    }
    /// After each burst: a bucket has no such limit.
    static let bucket = CommitPace(quietSeconds: 2, latestSeconds: 30)
}

extension CommitMoment {
    /// How edits are committed while the mount lives; nil: not by themselves.
    var pace: CommitPace? {
        switch self {
        case .unmount, .manual: nil
        case .close: .repo
        case .interval(let seconds): .repo(everySeconds: seconds.value)
        }
    }
}
