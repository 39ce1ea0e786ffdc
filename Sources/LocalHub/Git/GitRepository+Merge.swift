import Foundation

/// What came of merging two commits.
enum MergeOutcome: Equatable, Sendable {
    /// The merged tree.
    case tree(String)
    /// Paths both sides changed, each otherwise.
    case conflicts([String])
}

extension GitRepository {
    /// Merges two commits in three ways, with the files' texts; no ref changes.
    ///
    /// Histories without a common commit (one of them was squashed) are merged against nothing.
    ///
    /// - Parameter environment: where the merged tree is written, if not here.
    func merge(
        _ ours: String, _ theirs: String, environment: [String] = []
    ) throws(GitError) -> MergeOutcome {
        let (status, output) = try Git.attempt(
            path,
            [
                "merge-tree", "--write-tree", "--allow-unrelated-histories", "--name-only",
                "--no-messages", "-z", ours, theirs,
            ], environment: environment)
        let words = output.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        switch (status, words.first) {
        case (0, let tree?): return .tree(tree)
        case (1, .some): return .conflicts(Array(words.dropFirst()))
        default: throw .exited(command: "merge-tree", status: status)
        }
    }

    /// - Returns: nil if the two have no commit in common.
    func mergeBase(_ first: String, _ second: String) throws(GitError) -> String? {
        let (status, output) = try Git.attempt(path, ["merge-base", first, second])
        switch status {
        case 0:
            return String(decoding: output, as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        case 1: return nil
        default: throw .exited(command: "merge-base", status: status)
        }
    }

    func isAncestor(_ old: String, of new: String) throws(GitError) -> Bool {
        let (status, _) = try Git.attempt(path, ["merge-base", "--is-ancestor", old, new])
        guard status <= 1 else { throw .exited(command: "merge-base", status: status) }
        return status == 0
    }

    /// Commits that lead to `new` and not to `old`, the oldest first, at most `limit`.
    func commits(
        to new: String, notTo old: String, limit: Int
    ) throws(GitError) -> [CommitRecord] {
        let list = try Git.run(
            path, ["rev-list", "--reverse", "--max-count=\(limit)", new, "^" + old])
        var found: [CommitRecord] = []
        for oid in String(decoding: list, as: UTF8.self).split(separator: "\n") {
            found.append(try commit(oid: String(oid)))
        }
        return found
    }

    /// Writes a commit of a tree that is here; no ref changes.
    ///
    /// - Parameter message: at most what a pipe holds (64 KiB).
    func writeCommit(
        tree: String, parent: String?, message: CommitWriter.Message
    ) throws(GitError) -> String {
        let name = message.author
        let mail = "\(name)@users.noreply.localhub"
        let parents = parent.map { ["-p", $0] } ?? []
        let output = try Git.run(
            path, ["commit-tree", tree] + parents + ["-F", "-"], input: message.text,
            environment: [
                "GIT_AUTHOR_NAME=\(name)", "GIT_AUTHOR_EMAIL=\(mail)",
                "GIT_COMMITTER_NAME=\(name)", "GIT_COMMITTER_EMAIL=\(mail)",
            ])
        return String(decoding: output, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The unified diff of two commits' trees, renames detected.
    ///
    /// - Returns: nil if it is longer than `byteCountMax`.
    func diff(
        _ old: String, _ new: String, byteCountMax: Int
    ) throws(GitError) -> [UInt8]? {
        try Git.run(
            path, Self.diffTree + ["-p", "--no-ext-diff", "--no-textconv", old, new],
            byteCountMax: byteCountMax)
    }

    /// `diff-tree` over all files, paths in UTF-8 as they are.
    static let diffTree = ["-c", "core.quotePath=false", "diff-tree", "-r", "-M"]
}
