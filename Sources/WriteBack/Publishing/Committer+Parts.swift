import HubClient

// A commit too large for the Hub's patience (it gives up after 60 s) goes as several, each on top of
// the one before. Files first; what is deleted goes with the last, so that a series that is cut off
// leaves more than was meant, never less.

extension Prepared {
    /// Operations of one commit.
    static let operationCountMax = 5000
    /// Bytes of files that stand in the commit itself.
    static let inlineBytesMax: UInt64 = 500 << 20

    /// Keeps what fits into one commit.
    ///
    /// - Returns: whether something was left for another.
    mutating func cut(_ modes: [ExactPath: PreuploadVerdict.Mode]) -> Bool {
        if files.isEmpty { return false }
        var inlineBytes: UInt64 = 0
        var count = 0
        for file in files {
            let isInline = file.isStaged && modes[ExactPath(file.path)] != .lfs
            if isInline { inlineBytes += file.size }
            // One file always fits: the Hub takes none into git that is larger than 10 MiB.
            if count > 0,
                count == Self.operationCountMax || inlineBytes > Self.inlineBytesMax
            {
                break
            }
            count += 1
        }
        guard count < files.count || operationCount > max(Self.operationCountMax, count) else {
            return false
        }
        guard count < files.count else {
            // All files fit, and the deletions go with the next.
            deletedFiles = []
            deletedDirectories = []
            return true
        }
        files.removeSubrange(count...)
        deletedFiles = []
        deletedDirectories = []
        return true
    }
}

extension Committer {
    /// Takes out what an earlier part has brought to the Hub already.
    func dropSent(_ prepared: inout Prepared, at base: CommitOID) throws(PublishError) {
        let paths = prepared.files.map { inRepo($0.path) }
        let entries = try ask {
            client.pathsInfo(repo, Revision(base.hex), paths: paths, completion: $0)
        }
        // By bytes: two paths of git's can be one String's equal.
        var found: [[UInt8]: ContentID] = [:]
        for entry in entries {
            if case .file(let content, _) = entry.kind { found[Array(entry.path.utf8)] = content }
        }
        var left: [PreparedFile] = []
        for file in prepared.files {
            if let content = found[Array(inRepo(file.path).utf8)], file.has(content) {
                prepared.unchanged.append(IdentifiedFile(file: file, content: content))
            } else {
                left.append(file)
            }
        }
        prepared.files = left
    }
}
