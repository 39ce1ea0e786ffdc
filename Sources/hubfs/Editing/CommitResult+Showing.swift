extension CommitResult {
    /// Says on stdout what was committed, and on stderr what was not.
    ///
    /// - Throws: `Failure` when the edits are not all at the Hub.
    func show() throws(Failure) {
        for line in localOnly {
            writeToStandardError("hubfs: stays in the workspace: \(printable(line))\n")
        }
        let more = localOnlyCount - localOnly.count
        if more > 0 { writeToStandardError("hubfs: and \(more) more\n") }
        let changed = repos.filter { $0.changeCount > 0 }
        do {
            for repo in changed {
                try writeLine("\(repo.path): " + Self.line(repo.changeCount, repo.commit, repo.ref))
            }
            if changed.isEmpty, changeCount > 0 {
                try writeLine(Self.line(changeCount, commit, ref))
            }
        } catch {
            let commits = changed.isEmpty ? commit : changed.map(\.commit).joined(separator: ", ")
            throw Failure(.failure, "the edits are at the Hub: \(commits)")
        }
        if let sentence { throw Failure(code, sentence) }
    }

    /// - Parameter ref: What has the commit; empty for a bucket.
    static func line(_ changeCount: Int, _ commit: String, _ ref: String) -> String {
        let changes = "\(changeCount) change\(changeCount == 1 ? "" : "s")"
        if ref.isEmpty { return "sent \(changes) to the bucket" }
        return "committed \(changes) as \(commit) on \(ref)"
    }
}
