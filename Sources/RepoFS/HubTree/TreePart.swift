import FuseBridge
import Platform
import WriteBack

/// What serves one repo of the whole Hub's tree: the repo as it is, or with edits above it.
protocol TreePart: MountedTree {
    /// The commit below.
    var base: BaseTree { get }
    /// Of the repo's root directory.
    var rootAttributes: Attributes? { get }
    /// Whether the kernel knows an inode besides the root.
    var isKnown: Bool { get }
    /// Whether it must stay though nobody asks it anything: files are open, or edits are in no commit.
    var isHeld: Bool { get }
    /// Whether there can be no other of the same repo and revision beside it.
    var isAlone: Bool { get }
}

extension RepoFileSystem: TreePart {
    var isKnown: Bool { inodes.withLock { $0.count } > 1 }
    var isHeld: Bool { files.withLock { $0.count } + directories.withLock { $0.count } > 0 }
    var isAlone: Bool { false }
}

extension WritableRepoFileSystem: TreePart {
    var rootAttributes: Attributes? { overlay.view(.root).map { attributes(of: $0) } }
    var isKnown: Bool { overlay.isKnown }
    var isHeld: Bool {
        files.withLock { $0.count } + directories.withLock { $0.count } > 0 || overlay.isEdited
    }
    var isAlone: Bool { true }
}
