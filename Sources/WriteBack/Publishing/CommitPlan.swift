import FoundationEssentials
import HubClient

/// One commit, decided to the last byte. Written to disk before it is sent, so that whatever happens
/// then, it can be told whether the branch has it.
struct CommitPlan: Codable, Sendable {
    /// What a path has after the commit.
    struct Put: Sendable {
        /// From the root of the repo.
        let path: String
        let content: ContentID
    }

    /// The commit the edits were made on, 40 digits.
    let base: String
    /// The commit the branch must be at, 40 digits: the base, or what others have made of it.
    let parent: String
    let title: String
    let opensPullRequest: Bool
    let puts: [Put]
    /// From the root of the repo.
    let deletedFiles: [String]
    let deletedDirectories: [String]
    let settlement: Settlement
    /// More of the same commit follows.
    let isPart: Bool

    var baseCommit: CommitOID? { CommitOID(hex: base) }
    var parentCommit: CommitOID? { CommitOID(hex: parent) }

    var isEmpty: Bool { puts.isEmpty && deletedFiles.isEmpty && deletedDirectories.isEmpty }

    func encoded() throws(WriteBackError) -> String {
        do {
            return String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
        } catch {
            throw .journal("the plan cannot be written: \(error)")
        }
    }

    /// - Returns: nil when the text is no plan of this version.
    init?(encoded text: String) {
        guard let plan = try? JSONDecoder().decode(Self.self, from: Data(text.utf8)) else {
            return nil
        }
        self = plan
    }

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
