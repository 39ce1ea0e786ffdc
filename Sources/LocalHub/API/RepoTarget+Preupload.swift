import Foundation

/// preupload: how each file of a coming commit is to be sent.
extension RepoTarget {
    private struct PreuploadBody: Decodable {
        struct File: Decodable {
            let path: String
            let sample: String
            let size: Int
        }

        let files: [File]
        let gitIgnore: String?
        let gitAttributes: String?
    }

    private struct PreuploadAnswer: Encodable {
        struct File: Encodable {
            let path: String
            let uploadMode: UploadMode
            let shouldIgnore: Bool
            let oid: String?
        }

        let files: [File]
    }

    private static let preuploadMax = 1000

    func preupload(_ revision: String) async throws -> Answer {
        let body = try await request.json(PreuploadBody.self, max: 8 << 20)
        guard body.files.count <= Self.preuploadMax else {
            throw Refusal.unprocessable("At most \(Self.preuploadMax) files")
        }
        let files = try await blocking {
            try requireCommit(to: revision, opensPullRequest: opensPullRequest)
            if opensPullRequest {
                let ref = try Self.commitRef(revision, opensPullRequest: true)
                guard try repository.commit(.ref(ref)) != nil else {
                    throw Refusal.revisionNotFound(revision)
                }
            }
            let commit = try commit(named: revision)
            let attributes = GitAttributes(
                try body.gitAttributes ?? repository.text(".gitattributes", at: commit) ?? "")
            let ignore = GitIgnore(
                try body.gitIgnore ?? repository.text(".gitignore", at: commit) ?? "")
            return try body.files.map { file in
                guard let sample = Data(base64Encoded: file.sample), file.size >= 0 else {
                    throw Refusal.unprocessable("Invalid sample or size of \(file.path)")
                }
                if let reason = FilePath.refusal(file.path) {
                    throw Refusal.unprocessable("Invalid path \(file.path): \(reason)")
                }
                let mode = UploadMode.of(
                    path: file.path, size: file.size, sample: sample, attributes: attributes)
                return PreuploadAnswer.File(
                    path: file.path, uploadMode: mode, shouldIgnore: ignore.ignores(file.path),
                    oid: try contentID(file.path, commit))
            }
        }
        return try .json(PreuploadAnswer(files: files))
    }

    /// What is at the path now: the blob's oid, or the SHA-256 of an LFS file.
    private func contentID(_ path: String, _ commit: CommitRecord) throws -> String? {
        guard let entry = try repository.entry(path, at: commit), !entry.kind.isDirectory else {
            return nil
        }
        let item = try repository.describe([PathEntry(path: path, entry: entry)]).first
        return item?.pointer?.oid ?? entry.oid
    }
}
