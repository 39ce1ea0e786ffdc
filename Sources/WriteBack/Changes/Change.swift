package import HubClient

/// One path at which the edits differ from the base.
package struct Change: Sendable {
    package indirect enum Kind: Sendable {
        /// A file that is new at this path.
        case added(FrozenFile, NodeNumber)
        /// A file whose bytes may differ from those of the base at this path.
        case modified(FrozenFile, NodeNumber, replaces: BaseFile)
        /// A file of the base that is shown at this path now: its directory was renamed. With its date, where
        /// the base tells one.
        case moved(BaseFile, modifiedNanoseconds: Int64?)
        /// A file of the base that is gone.
        case deleted(BaseFile)
        /// A directory of the base that is gone, with everything in it.
        case deletedDirectory(TreeOID)
    }

    /// From the mounted directory.
    package let path: String
    package let kind: Kind
}

/// Something that stays in the workspace, and why.
package struct LocalOnly: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        /// git keeps files only.
        case emptyDirectory
        /// The Hub's listings do not know symbolic links.
        case symbolicLink
        /// By `.hubfsignore` or the defaults.
        case ignored
        /// Our own version of something, which gave way to somebody else's.
        case setAside
        /// By the repo's `.gitignore`: the Hub says so.
        case gitIgnored
        /// The Hub cannot store the name; the text says why.
        case unpublishable(String)
        /// The Hub does not take it; the text says why.
        case refused(String)
        /// A program can still write to it; it is in the next commit.
        case openForWriting
    }

    /// Whether it was meant for the Hub, which does not take it.
    package var isRefused: Bool {
        switch reason {
        case .unpublishable, .refused: true
        case .emptyDirectory, .symbolicLink, .ignored, .setAside, .gitIgnored, .openForWriting:
            false
        }
    }

    /// For people: what is not UTF-8 is replaced.
    package let path: String
    package let reason: Reason
}

/// Everything that differs from the base.
package struct ChangeList: Sendable {
    /// Sorted by path; a path is there twice only where a directory makes room for a file.
    package var changes: [Change] = []
    package var localOnly: [LocalOnly] = []
    /// Files of a renamed directory that cannot be published where they are now, and are no objects of
    /// the workspace yet: paths.
    var unkept: [String] = []
    /// Directories that stay in the workspace and show what the base has elsewhere, or had.
    var detached: Set<NodeNumber> = []
    /// Directories of the base whose edits cannot be published, for their names.
    var stuck: Set<ExactPath> = []

    /// Whether `path` is `directory` or lies below it.
    static func isAt(_ path: String, orBelow directory: String) -> Bool {
        path.utf8.elementsEqual(directory.utf8) || path.utf8.starts(with: (directory + "/").utf8)
    }

    package var isEmpty: Bool { changes.isEmpty }
}
