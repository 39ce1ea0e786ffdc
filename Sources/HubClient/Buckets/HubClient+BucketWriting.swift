import HTTPTransport
import Platform

/// A change of one file of a bucket.
package enum BucketOperation: Hashable, Sendable {
    /// The path gets a content that the store has from us.
    case add(path: String, XetOID, changedMilliseconds: Int64)
    /// The path gets a content that the bucket has, or had, elsewhere.
    case copy(path: String, XetOID, changedMilliseconds: Int64)
    case delete(path: String)

    package var path: String {
        switch self {
        case .add(let path, _, _), .copy(let path, _, _), .delete(let path): path
        }
    }

    /// What the path has afterwards; nil when it is gone.
    var content: XetOID? {
        switch self {
        case .add(_, let content, _), .copy(_, let content, _): content
        case .delete: nil
        }
    }

    /// As the batch has it: one line of JSON.
    fileprivate func line(in bucket: RepoID) -> String {
        let (type, rest) =
            switch self {
            case .add(_, let content, let time):
                ("addFile", ",\"xetHash\":\"\(content.hex)\",\"mtime\":\(time)")
            case .copy(_, let content, let time):
                (
                    "copyFile",
                    ",\"xetHash\":\"\(content.hex)\",\"mtime\":\(time)"
                        + ",\"sourceRepoType\":\"bucket\",\"sourceRepoId\":\(JSON.quoted(bucket.name))"
                )
            case .delete: ("deleteFile", "")
            }
        return "{\"type\":\"\(type)\",\"path\":\(JSON.quoted(path))\(rest)}\n"
    }
}

/// What a bucket did not do of a batch, and why.
package struct BucketFailure: Hashable, Sendable {
    package let path: String
    package let reason: String
}

extension HubClient {
    /// Operations in one batch, and paths in one question to `paths-info`.
    package static let bucketBatchCountMax = 1000

    /// Changes files of a bucket, each by itself. Doing it twice is doing it once, but that a file to be
    /// deleted fails when it is gone.
    ///
    /// Source: `POST /api/buckets/{id}/batch`.
    ///
    /// - Parameters:
    ///   - operations: At most `bucketBatchCountMax`; a path once.
    ///   - completion: Gets what failed; all the rest was done.
    package func changeBucket(
        _ bucket: RepoID, _ operations: [BucketOperation],
        completion: @escaping @Sendable (Result<[BucketFailure], HubError>) -> Void
    ) {
        precondition(operations.count <= Self.bucketBatchCountMax, "one batch")
        bucketStates.noteOurs(operations, in: bucket)
        askForWriting(
            routes?.bucketBatch(bucket),
            json: operations.map { $0.line(in: bucket) }.joined(),
            contentType: "application/x-ndjson",
            // 422: nothing of it could be done.
            adjust: { $0.answerStatuses = [422] }, completion: completion
        ) { answer in
            let body = JSON(answer.response.body)
            guard let rows = body?["failed"]?.array else {
                return completion(.failure(answer.refusal("the batch was refused")))
            }
            completion(
                .success(
                    rows.compactMap { row in
                        row["path"]?.string.map { path in
                            BucketFailure(
                                path: path, reason: row["error"]?.string ?? "no reason is told")
                        }
                    }))
        }
    }

    /// What a bucket has at some paths now; those with nothing are left out.
    ///
    /// Source: `POST /api/buckets/{id}/paths-info`.
    package func bucketFiles(
        _ bucket: RepoID, at paths: [String],
        completion: @escaping @Sendable (Result<[BucketEntry], HubError>) -> Void
    ) {
        bucketFiles(bucket, at: paths[...], found: [], completion: completion)
    }

    private func bucketFiles(
        _ bucket: RepoID, at paths: ArraySlice<String>, found: [BucketEntry],
        completion: @escaping @Sendable (Result<[BucketEntry], HubError>) -> Void
    ) {
        let batch = paths.prefix(Self.bucketBatchCountMax)
        if batch.isEmpty { return runOnTransferThread { completion(.success(found)) } }
        let names = batch.map(JSON.quoted).joined(separator: ",")
        askForWriting(
            routes?.pathsInfo(bucket, .main), json: "{\"paths\":[\(names)]}",
            completion: completion
        ) { [self] answer in
            do throws(TreePage.Invalid) {
                let entries = try BucketEntry.entries(answer.response.body)
                bucketFiles(
                    bucket, at: paths.dropFirst(batch.count), found: found + entries,
                    completion: completion)
            } catch {
                completion(.failure(answer.malformed(error.reason)))
            }
        }
    }

    /// Whether a state is at hand, so that `bucketState` can tell what comes of it.
    package func knowsState(_ commit: CommitOID, of bucket: RepoID) -> Bool {
        bucketStates.state(bucket, commit) != nil
    }

    /// The name of what comes of a state when nothing but these paths changes; it can be listed then.
    ///
    /// - Returns: nil when the state is not at hand: `keepState` brings it.
    package func bucketState(
        after commit: CommitOID, of bucket: RepoID, puts: [BucketEntry], deletions: [String]
    ) -> CommitOID? {
        guard let state = bucketStates.state(bucket, commit) else { return nil }
        let next = state.changed(puts: puts, deletions: deletions)
        bucketStates.keep(next, of: bucket)
        return next.commit
    }

    /// Has the state at hand that consists of these files.
    ///
    /// - Returns: its name.
    package func keepState(
        of bucket: RepoID, _ part: BucketPart, files: [BucketEntry]
    ) -> CommitOID {
        let state = BucketState(files, part: part.path)
        bucketStates.keep(state, of: bucket)
        return state.commit
    }
}

extension Exchange.Answer {
    /// The error for an answer that was let through, and is a refusal after all.
    fileprivate func refusal(_ words: String) -> HubError {
        let status = response.head.status
        if (200..<300).contains(status) { return malformed(words) }
        let message = JSON(response.body)?["error"]?.string ?? words
        return .status(
            .init(status: status, message: message, requestID: "", url: url.withoutQuery))
    }
}
