import HTTPTransport
import Platform

extension HubClient: TreeOrigin {
    /// Two questions: which commit, under which canonical name; then the commit's own date.
    ///
    /// `lastModified` of the repo is that of its newest commit and moves on; a file's mtime must
    /// not. It stands in only where the Hub shows a gated repo's listing but not its history.
    package func resolve(
        _ repo: RepoID, _ revision: Revision, knowing known: RepoSnapshot?,
        priority: FetchPriority,
        completion: @escaping @Sendable (Result<RepoSnapshot, HubError>) -> Void
    ) {
        if repo.kind == .bucket {
            return resolveBucket(
                repo, revision, knowing: known, priority: priority, completion: completion)
        }
        ask(routes?.revision(repo, revision), priority, completion: completion) { [self] answer in
            switch readRevision(answer, of: repo) {
            case .success(let info):
                if let known, known.commit == info.commit { return completion(.success(known)) }
                askForDate(info, completion: completion)
            case .failure(let error): completion(.failure(error))
            }
        }
    }

    package func list(
        _ repo: RepoID, at commit: CommitOID, path: String, recursive: Bool, entryCountMax: Int,
        priority: FetchPriority,
        completion: @escaping @Sendable (Result<TreeListing, HubError>) -> Void
    ) {
        if repo.kind == .bucket {
            return listBucket(
                repo, at: commit, path: path, recursive: recursive, entryCountMax: entryCountMax,
                completion: completion)
        }
        let walk = PageWalk(
            client: self, entryCountMax: entryCountMax, priority: priority,
            read: { bytes throws(TreePage.Invalid) in
                try TreePage.entries(bytes, under: path, recursive: recursive)
            }
        ) { result in
            completion(result.map { TreeListing(entries: $0.entries, isWhole: $0.isWhole) })
        }
        walk.ask(routes?.tree(repo, commit, path: path, recursive: recursive))
    }

    /// The bytes of all files below a directory, for `statfs`.
    package func treeSize(
        _ repo: RepoID, at commit: CommitOID, path: String,
        completion: @escaping @Sendable (Result<UInt64, HubError>) -> Void
    ) {
        if repo.kind == .bucket {
            let state = bucketStates.state(repo, commit)
            return runOnTransferThread {
                completion(.success(state?.byteCount(below: path) ?? 0))
            }
        }
        ask(routes?.treeSize(repo, commit, path: path), .prefetch, completion: completion) {
            answer in
            if let size = JSON(answer.response.body)?["size"]?.unsigned {
                completion(.success(size))
            } else {
                completion(.failure(answer.malformed("the answer has no size")))
            }
        }
    }

    /// Asks the API; errors go to `completion`, an answer to `then`.
    func ask<Value>(
        _ url: WebURL?, _ priority: FetchPriority, asksForRepo: Bool = true,
        completion: @escaping @Sendable (Result<Value, HubError>) -> Void,
        then: @escaping @Sendable (Exchange.Answer) -> Void
    ) {
        guard let url else {
            return runOnTransferThread { [self] in completion(.failure(noEndpoint)) }
        }
        // A page of 1000 long entries is half a MiB; info with all siblings of a huge repo, 20.
        let question = Exchange.Question(
            url: url, kind: .api, counter: .api, priority: priority, bodyByteCountMax: 32 << 20,
            asksForRepo: asksForRepo)
        ask(question, completion: completion, then: then)
    }

    /// Asks; errors go to `completion`, an answer to `then`.
    @discardableResult
    func ask<Value>(
        _ question: Exchange.Question,
        completion: @escaping @Sendable (Result<Value, HubError>) -> Void,
        then: @escaping @Sendable (Exchange.Answer) -> Void
    ) -> Exchange {
        let exchange = Exchange(self, question) { result in
            switch result {
            case .success(let answer): then(answer)
            case .failure(let error): completion(.failure(error))
            }
        }
        exchange.start()
        return exchange
    }

    /// What every question ends with when the configured endpoint is no URL.
    var noEndpoint: HubError {
        .malformed(url: configuration.endpoint, reason: "the endpoint is no URL")
    }

    private struct RevisionInfo {
        let repo: RepoID
        let commit: CommitOID
        let lastModifiedNanoseconds: Int64?
    }

    private func readRevision(
        _ answer: Exchange.Answer, of repo: RepoID
    ) -> Result<RevisionInfo, HubError> {
        let json = JSON(answer.response.body)
        guard let commit = json?["sha"]?.string.flatMap({ CommitOID(hex: $0) }) else {
            return .failure(answer.malformed("the answer names no commit"))
        }
        guard let name = json?["id"]?.string, faultOfRepoName(name) == nil else {
            return .failure(answer.malformed("the answer has no valid repo id"))
        }
        let date = json?["lastModified"]?.string.flatMap(nanosecondsSince1970)
        return .success(
            RevisionInfo(
                repo: RepoID(kind: repo.kind, name: name), commit: commit,
                lastModifiedNanoseconds: date))
    }

    private func askForDate(
        _ info: RevisionInfo,
        completion: @escaping @Sendable (Result<RepoSnapshot, HubError>) -> Void
    ) {
        let finish = { @Sendable (date: Int64) in
            completion(
                .success(
                    RepoSnapshot(
                        repo: info.repo, commit: info.commit, commitDateNanoseconds: date)))
        }
        let fallBack = { @Sendable (result: Result<RepoSnapshot, HubError>) in
            guard case .failure(let error) = result, let date = info.lastModifiedNanoseconds else {
                return completion(result)
            }
            switch error {
            case .gated, .forbidden: finish(date)
            default: completion(result)
            }
        }
        ask(routes?.commit(info.repo, info.commit), .demand, completion: fallBack) { answer in
            let newest = JSON(answer.response.body)?.array?.first
            guard newest?["id"]?.string == info.commit.hex,
                let date = newest?["date"]?.string.flatMap(nanosecondsSince1970)
            else {
                return completion(.failure(answer.malformed("the commit has no date")))
            }
            finish(date)
        }
    }
}

extension Exchange.Answer {
    func malformed(_ reason: String) -> HubError {
        .malformed(url: url.withoutQuery, reason: reason)
    }
}
