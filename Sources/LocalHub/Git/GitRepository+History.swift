import Foundation

/// A ref and the commit it leads to.
struct RefRecord: Sendable {
    let ref: String
    let commit: String
}

extension GitRepository {
    /// All refs, tags peeled to their commits.
    func refs() throws(GitError) -> [RefRecord] {
        let format =
            "--format=%(refname) %(if)%(*objectname)%(then)%(*objectname)%(else)"
            + "%(objectname)%(end)"
        let output = try Git.run(path, ["for-each-ref", format])
        return String(decoding: output, as: UTF8.self).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            return words.count == 2
                ? RefRecord(ref: String(words[0]), commit: String(words[1])) : nil
        }
    }

    /// A page of a commit's history, newest first, and how long the history is.
    func history(
        of commit: CommitRecord, skip: Int, limit: Int
    ) throws(GitError) -> (commits: [CommitRecord], total: Int) {
        let count = try Git.run(path, ["rev-list", "--count", commit.oid])
        let total = Int(
            String(decoding: count, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
        let list = try Git.run(
            path, ["rev-list", "--skip=\(skip)", "--max-count=\(limit)", commit.oid])
        var commits: [CommitRecord] = []
        for oid in String(decoding: list, as: UTF8.self).split(separator: "\n") {
            commits.append(try self.commit(oid: String(oid)))
        }
        return (commits, total ?? commits.count)
    }

    /// For each path the latest commit, up to `commit`, that changed it or something in it.
    ///
    /// Reads `git log` only until every path was met.
    func lastCommits(
        of paths: [String], at commit: CommitRecord
    ) throws(GitError) -> [ExactText: CommitRecord] {
        var known: [ExactText: CommitRecord] = [:]
        var wanted: Set<ExactText> = []
        for path in paths.map(ExactText.init) {
            let key = CommitPath(repository: identity, commit: commit.oid, path: path)
            if let hit = engine.lastCommits[key] {
                known[path] = hit
            } else {
                wanted.insert(path)
            }
        }
        guard !wanted.isEmpty else { return known }
        for (path, oid) in try scanLog(for: wanted, from: commit.oid) {
            let record = try self.commit(oid: oid)
            known[path] = record
            let key = CommitPath(repository: identity, commit: commit.oid, path: path)
            engine.lastCommits.insert(key, record)
        }
        return known
    }

    private func scanLog(
        for paths: Set<ExactText>, from commit: String
    ) throws(GitError) -> [ExactText: String] {
        let child = try ChildProcess(
            arguments: Git.command(path) + [
                "--literal-pathspecs", "log", "--no-renames", "-m", "--first-parent",
                "--name-only", "-z", "--format=%x01%H", commit, "--",
            ] + paths.sorted().map(\.text))
        child.closeInput()
        var scan = LogScan(wanted: paths)
        var piece = [UInt8](repeating: 0, count: 65_536)
        while !scan.wanted.isEmpty {
            let result = piece.withUnsafeMutableBytes { raw in
                Result { () throws(GitError) in try child.read(into: raw) }
            }
            let count = try result.get()
            guard count > 0 else { break }
            scan.take(piece[..<count])
        }
        return scan.found
    }
}

/// Reads `git log --name-only -z --format=%x01%H`: `\u{1}OID NUL`, then `LF`, then paths, each
/// ended by NUL.
private struct LogScan {
    private(set) var wanted: Set<ExactText>
    private(set) var found: [ExactText: String] = [:]
    private var commit = ""
    private var token: [UInt8] = []

    init(wanted: Set<ExactText>) {
        self.wanted = wanted
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes {
            if byte == 0 {
                finishToken()
                token.removeAll(keepingCapacity: true)
            } else {
                token.append(byte)
            }
        }
    }

    private mutating func finishToken() {
        if token.first == 1 {
            commit = String(decoding: token.dropFirst(), as: UTF8.self)
            return
        }
        let name = token.first == 0x0a ? token.dropFirst() : token[...]
        let path = String(decoding: name, as: UTF8.self)
        // A change in a directory is a change of each directory above it.
        for changed in (path.foldersAbove + [path]).map(ExactText.init)
        where wanted.remove(changed) != nil {
            found[changed] = commit
        }
    }
}
