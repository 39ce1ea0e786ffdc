import Foundation

/// Writes one commit through `git fast-import`.
///
/// Blobs go straight into the repository's object store while they arrive; refs that fast-import
/// sets go to a scratch folder. Nothing of the repository changes until `moveRef` moves the branch
/// by `git update-ref` with the expected old value, so a writer dropped before leaves only objects
/// that nothing names.
///
/// Not shared between threads; every method blocks.
final class CommitWriter {
    /// What the commit says about itself.
    struct Message: Sendable {
        let author: String
        let text: String
    }

    /// Where a file's content is.
    enum Source: Sendable {
        /// A blob of this writer.
        case mark(Int)
        /// A blob the repository has.
        case blob(String)

        fileprivate var text: String {
            switch self {
            case .mark(let mark): ":\(mark)"
            case .blob(let oid): oid
            }
        }
    }

    /// A change of the tree.
    enum Change: Sendable {
        case put(path: String, Source, isExecutable: Bool)
        case delete(path: String)
    }

    private let scratch: ScratchRepository
    private let child: ChildProcess
    private var marks = 0
    private var pending: [UInt8] = []

    /// fast-import is written to in pieces of this many bytes.
    private static let pieceSize = 256 << 10

    /// - Parameter incoming: where the scratch folder goes.
    init(repository: GitRepository, incoming: String) throws {
        scratch = try ScratchRepository(incoming: incoming, objects: repository.path)
        child = try ChildProcess(
            arguments: Git.command(scratch.path) + ["fast-import", "--quiet", "--done"],
            environment: scratch.environment)
    }

    deinit {
        child.terminate()
        child.wait()
    }

    /// Adds a blob of bytes in memory.
    ///
    /// - Returns: where it is, for `Change.put`.
    func blob(_ bytes: some Collection<UInt8>) throws(GitError) -> Source {
        marks += 1
        try append("blob\nmark :\(marks)\ndata \(bytes.count)\n".utf8)
        try append(bytes)
        try append("\n".utf8)
        return .mark(marks)
    }

    private func append(_ bytes: some Collection<UInt8>) throws(GitError) {
        pending += bytes
        if pending.count >= Self.pieceSize { try flush() }
    }

    /// Writes the commit object.
    ///
    /// - Parameter parent: nil for a first commit.
    /// - Returns: the new commit's oid; no ref of the repository names it yet.
    func commit(
        parent: String?, message: Message, changes: [Change]
    ) throws(GitError) -> String {
        let now = Int(Date().timeIntervalSince1970)
        let name = message.author.filter { !"<>\n".contains($0) }
        let who = "\(name) <\(name)@users.noreply.localhub> \(now) +0000"
        let text = Array(message.text.utf8)
        try append("commit refs/heads/new\nauthor \(who)\ncommitter \(who)\n".utf8)
        try append("data \(text.count)\n".utf8)
        try append(text)
        try append("\n".utf8)
        if let parent { try append("from \(parent)\n".utf8) }
        // All deletions first: fast-import applies changes in order, the Hub knows no order.
        for case .delete(let path) in changes {
            try append("D \(Self.quote(path))\n".utf8)
        }
        for case .put(let path, let source, let isExecutable) in changes {
            let mode = isExecutable ? "100755" : "100644"
            try append("M \(mode) \(source.text) \(Self.quote(path))\n".utf8)
        }
        try append("\ndone\n".utf8)
        try flush()
        let status = child.wait()
        guard status == 0 else { throw .exited(command: "fast-import", status: status) }
        guard
            let oid = try? String(contentsOfFile: scratch.path + "/refs/heads/new", encoding: .utf8)
        else { throw .unexpected("fast-import left no commit") }
        return oid.trimmingCharacters(in: .newlines)
    }

    private func flush() throws(GitError) {
        try child.write(pending)
        pending.removeAll(keepingCapacity: true)
    }

    /// C-style quotes, which fast-import takes for any path. Source: git-fast-import(1), "path".
    private static func quote(_ path: String) -> String {
        var quoted = "\""
        for scalar in path.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension GitRepository {
    /// Moves a ref, only if it still is what it was.
    ///
    /// - Parameter old: the expected commit; nil if the ref must not exist.
    /// - Returns: false if the ref was something else.
    func moveRef(_ ref: String, from old: String?, to new: String) throws(GitError) -> Bool {
        let none = String(repeating: "0", count: 40)
        do {
            _ = try Git.run(path, ["update-ref", ref, new, old ?? none])
            return true
        } catch .exited {
            return false
        }
    }

    /// Deletes a branch or a tag.
    func deleteRef(_ ref: String) throws(GitError) {
        _ = try Git.run(path, ["update-ref", "-d", ref])
    }

    /// Makes a tag, annotated if there is a message.
    ///
    /// - Returns: false if the tag exists.
    func createTag(
        _ name: String, at commit: String, message: String, author: String
    ) throws(GitError) -> Bool {
        guard !message.isEmpty else {
            return try moveRef("refs/tags/" + name, from: nil, to: commit)
        }
        do {
            _ = try Git.run(
                path, ["tag", "-a", "-m", message, "--", name, commit],
                environment: [
                    "GIT_COMMITTER_NAME=\(author)",
                    "GIT_COMMITTER_EMAIL=\(author)@users.noreply.localhub",
                ])
            return true
        } catch .exited {
            return false
        }
    }
}
