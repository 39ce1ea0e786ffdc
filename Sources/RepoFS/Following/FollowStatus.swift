package import HubClient
package import RepoCache

/// What can be told of a mount that follows a branch.
package struct FollowStatus: Sendable {
    package let revision: Revision
    package let intervalSeconds: Double
    /// How long ago the Hub was last asked; nil before the first time.
    package let askedSecondsAgo: Double?
    /// When it is asked again; nil while it is.
    package let nextInSeconds: Double?
    /// Times it was asked, and times the mount went to another commit.
    package let questionCount: UInt64
    package let moveCount: UInt64
    /// Why the mount does not show what the branch has now; nil when it does.
    package let failure: CacheError?
}

/// What became of a question that somebody asked for.
package typealias FollowResult = Result<CommitOID, CacheError>
