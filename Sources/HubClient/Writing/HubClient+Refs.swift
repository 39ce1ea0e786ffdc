import HTTPTransport

/// A name of a commit.
package struct RepoRef: Hashable, Sendable {
    /// `main`, `v1`, or the number of a pull request.
    package let name: String
    /// `refs/heads/main`.
    package let ref: String
    package let commit: CommitOID

    package init(name: String, ref: String, commit: CommitOID) {
        self.name = name
        self.ref = ref
        self.commit = commit
    }
}

/// Every name in a repo.
package struct RepoRefs: Hashable, Sendable {
    package let branches: [RepoRef]
    package let tags: [RepoRef]
    /// Empty unless asked for.
    package let pullRequests: [RepoRef]

    package init(branches: [RepoRef], tags: [RepoRef], pullRequests: [RepoRef]) {
        self.branches = branches
        self.tags = tags
        self.pullRequests = pullRequests
    }
}

extension HubClient {
    /// The branches and tags of a repo and what they name now.
    ///
    /// Source: `GET /api/{kind}/{id}/refs`.
    package func refs(
        _ repo: RepoID, includesPullRequests: Bool = false,
        completion: @escaping @Sendable (Result<RepoRefs, HubError>) -> Void
    ) {
        askForWriting(
            routes?.refs(repo, includesPullRequests: includesPullRequests), completion: completion
        ) { answer in
            let json = JSON(answer.response.body)
            guard let branches = readRefs(json?["branches"]), let tags = readRefs(json?["tags"]),
                let pullRequests = readRefs(json?["pullRequests"] ?? .array([]))
            else { return completion(.failure(answer.malformed("the answer lists no refs"))) }
            completion(
                .success(RepoRefs(branches: branches, tags: tags, pullRequests: pullRequests)))
        }
    }

    /// The commit a revision names now, in one question where `resolve` asks two. The Hub's answer
    /// may be seconds old.
    package func head(
        _ repo: RepoID, of revision: Revision,
        completion: @escaping @Sendable (Result<CommitOID, HubError>) -> Void
    ) {
        if repo.kind == .bucket {
            return resolveBucket(repo, revision, knowing: nil, priority: .demand) { result in
                completion(result.map(\.commit))
            }
        }
        askForWriting(routes?.revision(repo, revision), completion: completion) { answer in
            let commit = JSON(answer.response.body)?["sha"]?.string.flatMap { CommitOID(hex: $0) }
            guard let commit else {
                return completion(.failure(answer.malformed("the answer names no commit")))
            }
            completion(.success(commit))
        }
    }

    /// Makes a branch. `refused` with status 409 when there is one of that name.
    ///
    /// Source: `POST /api/{kind}/{id}/branch/{name}`.
    package func createBranch(
        _ repo: RepoID, name: String, at commit: CommitOID,
        completion: @escaping @Sendable (Result<Void, WriteFailure>) -> Void
    ) {
        let body = "{\"startingPoint\":\"\(commit.hex)\"}"
        sendOnce(
            routes?.branch(repo, name), contentType: "application/json",
            body: .bytes(Array(body.utf8))
        ) { ending in
            // Success needs no words: the Hub's are "OK".
            if case .answered(let response, _) = ending,
                (200..<300).contains(response.head.status)
            {
                return completion(.success(()))
            }
            completion(ending.outcome { _ in nil })
        }
    }

    /// Opens a pull request without commits; they are sent to `refs/pr/N`.
    ///
    /// Source: `POST /api/{kind}/{id}/discussions`.
    ///
    /// - Parameters:
    ///   - title: 3 to 200 characters.
    ///   - completion: The number of the pull request.
    package func openPullRequest(
        _ repo: RepoID, title: String, description: String,
        completion: @escaping @Sendable (Result<Int, WriteFailure>) -> Void
    ) {
        let body =
            "{\"title\":\(JSON.quoted(title)),\"description\":\(JSON.quoted(description))"
            + ",\"pullRequest\":true}"
        sendOnce(
            routes?.discussions(repo), contentType: "application/json",
            body: .bytes(Array(body.utf8))
        ) { ending in
            completion(ending.outcome { $0["num"]?.unsigned.flatMap { Int(exactly: $0) } })
        }
    }
}

private func readRefs(_ list: JSON?) -> [RepoRef]? {
    guard let rows = list?.array else { return nil }
    var refs: [RepoRef] = []
    for row in rows {
        guard let name = row["name"]?.string, let ref = row["ref"]?.string,
            let commit = row["targetCommit"]?.string.flatMap({ CommitOID(hex: $0) })
        else { return nil }
        refs.append(RepoRef(name: name, ref: ref, commit: commit))
    }
    return refs
}
