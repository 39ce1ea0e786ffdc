import HubClient

/// One commit, decided to the last byte. Written to disk before it is sent, so that whatever happens
/// then, it can be told whether the branch has it.
struct CommitPlan: Codable, Sendable {
    /// What a path has after the commit.
    struct Put: Sendable {
        /// From the root of the repo.
        let path: String
        let content: ContentID
        /// When a program last changed it, nanoseconds since 1970: what a bucket is told.
        var modifiedNanoseconds: Int64?
    }

    /// The commit the edits were made on, 40 digits.
    let base: String
    /// The commit the branch must be at, 40 digits: the base, or what others have made of it.
    let parent: String
    let title: String
    let opensPullRequest: Bool
    var puts: [Put]
    /// From the root of the repo.
    let deletedFiles: [String]
    let deletedDirectories: [String]
    var settlement: Settlement
    /// More of the same commit follows.
    let isPart: Bool

    var baseCommit: CommitOID? { CommitOID(hex: base) }
    var parentCommit: CommitOID? { CommitOID(hex: parent) }

    var isEmpty: Bool { puts.isEmpty && deletedFiles.isEmpty && deletedDirectories.isEmpty }

    init(
        base: CommitOID, parent: CommitOID, title: String, opensPullRequest: Bool, puts: [Put],
        deletedFiles: [String],
        deletedDirectories: [String], settlement: Settlement, isPart: Bool
    ) {
        self.base = base.hex
        self.parent = parent.hex
        self.title = title
        self.opensPullRequest = opensPullRequest
        self.puts = puts
        self.deletedFiles = deletedFiles
        self.deletedDirectories = deletedDirectories
        self.settlement = settlement
        self.isPart = isPart
    }
}
