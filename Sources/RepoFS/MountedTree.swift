import FuseBridge
import HubClient

/// What a mount serves: a repo as it is, or with edits above it.
protocol MountedTree: FileSystem {
    /// The inodes that hold a content of the Hub's, to invalidate what the kernel keeps of them.
    func nodes(holding content: ContentID) -> [NodeID]

    /// Closes what the kernel has not released. Call when no more requests come.
    func closeHandles()
}

extension RepoFileSystem: MountedTree {}
extension WritableRepoFileSystem: MountedTree {}
