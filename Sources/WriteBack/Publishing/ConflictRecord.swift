import FoundationEssentials
import HubClient

/// Paths that both sides changed, as the journal keeps them until somebody decides.
struct ConflictRecord: Codable, Sendable {
    var paths: [ConflictedPath]
    /// The commit that has their side, 40 digits.
    var head: String
    /// The tree stands on that commit already, or on one made on top of it: the paths are edits of it
    /// like any other, and this alone keeps them from being committed.
    var isMoved: Bool
    /// The ref that the workspace follows once it stands there; nil for the one it follows now.
    var ref: String?
    /// Paths at which both sides did the same.
    var same: [String] = []

    var headCommit: CommitOID? { CommitOID(hex: head) }

    /// - Returns: nil when the text is no record of this version.
    init?(encoded text: String?) {
        guard let text,
            let record = try? JSONDecoder().decode(Self.self, from: Data(text.utf8))
        else { return nil }
        self = record
    }

    init(
        _ paths: [ConflictedPath], head: CommitOID, isMoved: Bool, ref: String? = nil,
        same: [String] = []
    ) {
        self.paths = paths
        self.head = head.hex
        self.isMoved = isMoved
        self.ref = ref
        self.same = same
    }

    /// Writes the record, or removes it when no path is left.
    func put(_ transaction: borrowing JournalTransaction) throws {
        if paths.isEmpty { return try transaction.remove(.conflicts) }
        let text = String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
        try transaction.set(.conflicts, text)
    }
}

/// A path that both sides changed.
package struct ConflictedPath: Codable, Hashable, Sendable {
    /// What the other side has there.
    package enum Theirs: String, Codable, Sendable {
        case file
        case folder
        case nothing
    }

    /// From the mounted directory.
    package let path: String
    package let theirs: Theirs
}

extension TreeDifference {
    /// Conflicts of this difference, the outermost alone: what decides about a folder decides about
    /// what is in it.
    func conflicted(_ paths: [String]) -> [ConflictedPath] {
        let all = Set(paths.map { ExactPath($0) })
        var kinds: [ExactPath: ConflictedPath.Theirs] = [:]
        for file in files where file.content != nil {
            kinds[ExactPath(file.path)] = .file
            for parent in ExactPath(file.path).parents { kinds[parent] = .folder }
        }
        return all.filter { path in !path.parents.contains { all.contains($0) } }
            .sorted { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }
            .map { ConflictedPath(path: $0.text, theirs: kinds[$0] ?? .nothing) }
    }
}

/// What somebody else did before a commit of ours that is made already, and that the tree does not
/// show yet: kept so that a daemon that is killed in between does not take it for an edit of ours.
struct ForeignChange: Codable, Sendable {
    /// Commits, 40 digits.
    let from: String
    let to: String
    /// Paths that our commit has decided.
    let ours: [String]
    /// Directories that it has removed with everything in them.
    let removedDirectories: [String]
    /// What the Hub made of `.gitattributes`; nil when nothing.
    let attributes: Attributes?

    struct Attributes: Codable, Sendable {
        let path: String
        /// nil when it is gone.
        let content: String?
        let size: UInt64
    }

    func encoded() throws(WriteBackError) -> String {
        do {
            return String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
        } catch {
            throw .journal("the foreign change cannot be written: \(error)")
        }
    }

    /// What of the other side's our commit has decided.
    func decided(of theirs: TreeDifference) -> Set<ExactPath> {
        let removed = Set(removedDirectories.map { ExactPath($0) })
        let below = theirs.files.map { ExactPath($0.path) }.filter { path in
            path.parents.contains { removed.contains($0) }
        }
        return Set(ours.map { ExactPath($0) }).union(below)
    }

    init?(encoded text: String) {
        guard let change = try? JSONDecoder().decode(Self.self, from: Data(text.utf8)) else {
            return nil
        }
        self = change
    }

    init(
        from: CommitOID, to: CommitOID, ours: [String], removedDirectories: [String],
        attributes: TreeDifference.File?
    ) {
        self.from = from.hex
        self.to = to.hex
        self.ours = ours
        self.removedDirectories = removedDirectories
        self.attributes = attributes.map {
            Attributes(path: $0.path, content: $0.content?.hex, size: $0.size)
        }
    }
}
