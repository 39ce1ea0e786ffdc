package import FuseBridge
package import HubClient
package import RepoCache
package import SystemPackage
package import WriteBack

/// Why a repo could not be mounted.
package enum MountError: Error, Sendable {
    /// The repo, revision or directory could not be resolved or listed.
    case source(CacheError)
    /// The mount point is missing, no directory, or not accessible.
    case mountPoint(path: String, Errno)
    /// Something of ours that is alive is mounted there already.
    case alreadyMounted(path: String)
    case fuse(FuseError)
    /// The edits of this branch cannot be kept.
    case workspace(WriteBackError)
    /// Commits cannot go to the branch that was asked for.
    case target(PublishError)
    /// Only a branch can be edited; the text names what it is instead.
    case notABranch(revision: String)
    /// Only what can change can be followed; the revision is a commit.
    case nothingToFollow(revision: String)
    /// The order that is to be fetched was recorded of another repo.
    case foreignOrder(recorded: RepoID, mounted: RepoID)
    /// The Hub does not let this user commit.
    case notWritable(HubError)
}
