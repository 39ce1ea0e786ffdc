import HTTPTransport
package import SystemPackage

/// A commit that the Hub has made.
package struct CommitReceipt: Hashable, Sendable {
    package let commit: CommitOID
    /// The pull request it opened.
    package let pullRequest: Int?
    /// Its page; empty when the Hub names none.
    package let url: String

    package init(commit: CommitOID, pullRequest: Int?, url: String) {
        self.commit = commit
        self.pullRequest = pullRequest
        self.url = url
    }
}

/// What became of a commit. It is sent once: whether to send it again is the caller's to decide,
/// who can look into the history first.
package enum CommitOutcome: Hashable, Sendable {
    case committed(CommitReceipt)
    /// 412: the branch is no longer at the commit's parent. Also what a repeated commit meets
    /// whose first answer was lost.
    case stale(HubError)
    /// 409: another commit is being made; 429: too many were. Later this one may.
    case busy(HubError)
    /// The Hub said no, and has changed nothing.
    case refused(HubError)
    /// Nothing of it has reached the Hub: it may be sent again.
    case notSent(HubError)
    /// The answer is lost, or says that the Hub itself does not know: it may have been made.
    case unknown(HubError)
}

extension HubClient {
    /// Sends one commit, as `CommitBody` has spooled it.
    ///
    /// Source: `POST /api/{kind}/{id}/commit/{rev}`.
    ///
    /// - Parameters:
    ///   - body: Borrowed: it must stay open, and its bytes as they are, until `completion`.
    ///   - byteCount: Its length.
    ///   - createsPullRequest: The commit opens a pull request against `revision`, a branch.
    ///   - progress: Bytes of the body sent. Called on a transfer thread.
    /// - Returns: nil when there is nothing to ask; `completion` is called all the same.
    @discardableResult
    package func commit(
        _ repo: RepoID, to revision: Revision, body: FileDescriptor, byteCount: UInt64,
        createsPullRequest: Bool = false,
        progress: @escaping @Sendable (_ sentByteCount: UInt64) -> Void = { _ in },
        completion: @escaping @Sendable (CommitOutcome) -> Void
    ) -> (any Sending)? {
        sendOnce(
            routes?.commit(repo, to: revision, createsPullRequest: createsPullRequest),
            contentType: "application/x-ndjson", body: .file(body, 0..<byteCount),
            progress: progress
        ) { ending in
            completion(CommitOutcome(ending.outcome(readReceipt)))
        }
    }
}

extension CommitOutcome {
    init(_ result: Result<CommitReceipt, WriteFailure>) {
        self =
            switch result {
            case .success(let receipt): .committed(receipt)
            case .failure(.notSent(let error)): .notSent(error)
            case .failure(.unknown(let error)): .unknown(error)
            case .failure(.refused(let error)) where error.status == 412: .stale(error)
            case .failure(.refused(let error)) where [409, 429].contains(error.status):
                .busy(error)
            case .failure(.refused(let error)): .refused(error)
            }
    }
}

private func readReceipt(_ answer: JSON) -> CommitReceipt? {
    guard let commit = answer["commitOid"]?.string.flatMap({ CommitOID(hex: $0) }) else {
        return nil
    }
    let number = answer["pullRequestUrl"]?.string.flatMap { url in
        url.split(separator: "/").last.flatMap { Int($0) }
    }
    return CommitReceipt(
        commit: commit, pullRequest: number, url: answer["commitUrl"]?.string ?? "")
}
