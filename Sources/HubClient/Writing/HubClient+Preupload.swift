import HTTPTransport

/// A file of a coming commit, as the Hub is asked about it.
package struct PreuploadFile: Hashable, Sendable {
    /// What of a file's beginning the Hub wants to see.
    package static let sampleByteCountMax = 512

    /// Path from the root of the repo.
    package let path: String
    package let size: UInt64
    /// The file's first bytes, `sampleByteCountMax` or as many as it has.
    package let sample: [UInt8]

    package init(path: String, size: UInt64, sample: [UInt8]) {
        precondition(
            sample.count == min(size, UInt64(Self.sampleByteCountMax)), "the file's beginning")
        self.path = path
        self.size = size
        self.sample = sample
    }
}

/// How the Hub wants a file of a coming commit.
package struct PreuploadVerdict: Hashable, Sendable {
    package enum Mode: String, Hashable, Sendable {
        /// In the commit itself.
        case regular
        /// Uploaded to LFS storage before; the commit names its SHA-256.
        case lfs
    }

    package let path: String
    package let mode: Mode
    /// `.gitignore` excludes the path: the commit leaves it out.
    package let isIgnored: Bool
    /// What the path has in the revision now; nil when nothing, or when the Hub does not say.
    package let current: ContentID?

    package init(path: String, mode: Mode, isIgnored: Bool, current: ContentID?) {
        self.path = path
        self.mode = mode
        self.isIgnored = isIgnored
        self.current = current
    }
}

extension HubClient {
    /// Files in one `preupload`.
    package static let preuploadCountMax = 256

    /// Asks how each file of a coming commit is to be sent. Changes nothing, and needs the right to
    /// write: with one dummy file it tells whether there is one.
    ///
    /// Source: `POST /api/{kind}/{id}/preupload/{rev}`.
    ///
    /// - Parameters:
    ///   - files: At most `preuploadCountMax`, no path twice.
    ///   - gitIgnore: The text of the root `.gitignore` if the same commit changes it.
    ///   - completion: A verdict for each file, in the order of `files`. An empty file is regular
    ///     whatever the Hub says, for there is no empty LFS object.
    package func preupload(
        _ repo: RepoID, to revision: Revision, files: [PreuploadFile], gitIgnore: String? = nil,
        createsPullRequest: Bool = false,
        completion: @escaping @Sendable (Result<[PreuploadVerdict], HubError>) -> Void
    ) {
        precondition(files.count <= Self.preuploadCountMax, "too many files for one preupload")
        askForWriting(
            routes?.preupload(repo, revision, createsPullRequest: createsPullRequest),
            json: Self.preuploadBody(files, gitIgnore: gitIgnore), completion: completion
        ) { answer in
            completion(readVerdicts(answer, of: files))
        }
    }

    private static func preuploadBody(_ files: [PreuploadFile], gitIgnore: String?) -> String {
        let rows = files.map { file in
            "{\"path\":\(JSON.quoted(file.path)),\"sample\":\"\(base64(file.sample))\""
                + ",\"size\":\(file.size)}"
        }
        let ignore = gitIgnore.map { ",\"gitIgnore\":" + JSON.quoted($0) } ?? ""
        return "{\"files\":[\(rows.joined(separator: ","))]\(ignore)}"
    }
}

private func readVerdicts(
    _ answer: Exchange.Answer, of files: [PreuploadFile]
) -> Result<[PreuploadVerdict], HubError> {
    // By bytes: two paths of git's can be one String's equal.
    var rows: [[UInt8]: JSON] = [:]
    for row in JSON(answer.response.body)?["files"]?.array ?? [] {
        if let path = row["path"]?.string { rows[Array(path.utf8)] = row }
    }
    var verdicts: [PreuploadVerdict] = []
    for file in files {
        guard let row = rows[Array(file.path.utf8)],
            let mode = row["uploadMode"]?.string.flatMap({ PreuploadVerdict.Mode(rawValue: $0) }),
            let isIgnored = row["shouldIgnore"]?.bool
        else { return .failure(answer.malformed("no verdict on '\(file.path)'")) }
        verdicts.append(
            PreuploadVerdict(
                path: file.path, mode: file.size == 0 ? .regular : mode, isIgnored: isIgnored,
                current: row["oid"]?.string.flatMap(contentID)))
    }
    return .success(verdicts)
}

/// A blob's oid or an LFS file's SHA-256, told by length.
private func contentID(_ hex: String) -> ContentID? {
    BlobOID(hex: hex).map(ContentID.git) ?? LFSOID(hex: hex).map(ContentID.lfs)
}
