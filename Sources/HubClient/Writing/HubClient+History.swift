import HTTPTransport
import Platform

/// One commit of a history.
package struct CommitSummary: Hashable, Sendable {
    package let commit: CommitOID
    package let title: String
    /// Nanoseconds since 1970.
    package let dateNanoseconds: Int64

    package init(commit: CommitOID, title: String, dateNanoseconds: Int64) {
        self.commit = commit
        self.title = title
        self.dateNanoseconds = dateNanoseconds
    }
}

/// What follows a commit in a history.
package enum ChildCommit: Hashable, Sendable {
    case found(CommitSummary)
    /// Nothing: the commit is the newest one.
    case none
    /// The history does not have the commit, or only deeper than was looked.
    case unknownBase
}

extension HubClient {
    /// The newest commits of a revision, newest first: one page.
    ///
    /// Source: `GET /api/{kind}/{id}/commits/{rev}`.
    ///
    /// - Parameter limit: 1 to 1000.
    package func history(
        _ repo: RepoID, _ revision: Revision, limit: Int,
        completion: @escaping @Sendable (Result<[CommitSummary], HubError>) -> Void
    ) {
        precondition((1...1000).contains(limit), "a page of the history")
        let url = routes?.history(repo, revision, limit: limit)
        askForWriting(url, completion: completion) { answer in
            completion(readHistory(answer))
        }
    }

    /// The commit whose parent is `base`, in the history of `revision`.
    ///
    /// The Hub's histories are linear, so it is the one listed just before. Pages are read until
    /// `base` is met, at most `childPageCountMax` of them.
    package func child(
        of base: CommitOID, _ repo: RepoID, in revision: Revision,
        completion: @escaping @Sendable (Result<ChildCommit, HubError>) -> Void
    ) {
        let search = ChildSearch(client: self, base: base, completion: completion)
        search.ask(routes?.history(repo, revision, limit: ChildSearch.pageLimit), page: 1, nil)
    }

    /// Pages of 200 commits that `child` looks through.
    package static let childPageCountMax = 25
}

private func readHistory(_ answer: Exchange.Answer) -> Result<[CommitSummary], HubError> {
    guard let rows = JSON(answer.response.body)?.array else {
        return .failure(answer.malformed("the history is not a JSON array"))
    }
    var commits: [CommitSummary] = []
    for row in rows {
        guard let commit = row["id"]?.string.flatMap({ CommitOID(hex: $0) }),
            let title = row["title"]?.string,
            let date = row["date"]?.string.flatMap(nanosecondsSince1970)
        else { return .failure(answer.malformed("a commit has no id, title or date")) }
        commits.append(CommitSummary(commit: commit, title: title, dateNanoseconds: date))
    }
    return .success(commits)
}

/// Pages through a history, down to a commit.
private struct ChildSearch: Sendable {
    static let pageLimit = 200

    let client: HubClient
    let base: CommitOID
    let completion: @Sendable (Result<ChildCommit, HubError>) -> Void

    /// - Parameter last: The commit that ended the page before. Commits made meanwhile push the
    ///   rest down, so that a page may begin with some of the page before: they do no harm.
    func ask(_ url: WebURL?, page number: Int, _ last: CommitSummary?) {
        client.askForWriting(url, completion: completion) { answer in
            switch readHistory(answer) {
            case .success(let commits): look(commits, answer, page: number, last)
            case .failure(let error): completion(.failure(error))
            }
        }
    }

    private func look(
        _ commits: [CommitSummary], _ answer: Exchange.Answer, page number: Int,
        _ last: CommitSummary?
    ) {
        if let index = commits.firstIndex(where: { $0.commit == base }) {
            let child = index > 0 ? commits[index - 1] : last
            return completion(.success(child.map { .found($0) } ?? .none))
        }
        guard !commits.isEmpty, number < HubClient.childPageCountMax,
            let link = answer.response.head["link"].flatMap(nextLink)
        else { return completion(.success(.unknownBase)) }
        guard let next = answer.url.resolving(link), client.routes?.isOurs(next) == true else {
            return completion(.failure(answer.malformed("the next page is on another server")))
        }
        ask(next, page: number + 1, commits.last)
    }
}
