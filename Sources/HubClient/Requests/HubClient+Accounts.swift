import HTTPTransport
import Platform

/// A repo as the list of an account's repos has it.
package struct ListedRepo: Hashable, Sendable {
    /// Without the namespace.
    package let name: String
    /// Date of the newest commit since 1970; nil where the Hub does not tell.
    package let modifiedNanoseconds: Int64?

    package init(name: String, modifiedNanoseconds: Int64?) {
        self.name = name
        self.modifiedNanoseconds = modifiedNanoseconds
    }
}

/// The repos of an account.
package struct RepoListing: Hashable, Sendable {
    /// The account as the Hub spells it; nil where it has no repo.
    package let author: String?
    package let repos: [ListedRepo]
    /// False when there are more than were asked for.
    package let isWhole: Bool

    package init(author: String?, repos: [ListedRepo], isWhole: Bool) {
        self.author = author
        self.repos = repos
        self.isWhole = isWhole
    }
}

/// Whose token it is.
package struct Account: Hashable, Sendable {
    package let name: String
    package let organisations: [String]
}

extension HubClient {
    /// Who the token belongs to. The Hub limits this strictly: never ask for each operation.
    package func account(completion: @escaping @Sendable (Result<Account, HubError>) -> Void) {
        ask(routes?.whoAmI, .demand, asksForRepo: false, completion: completion) { answer in
            let json = JSON(answer.response.body)
            guard let name = json?["name"]?.string else {
                return completion(.failure(answer.malformed("the answer names nobody")))
            }
            let organisations = (json?["orgs"]?.array ?? []).compactMap { $0["name"]?.string }
            completion(.success(Account(name: name, organisations: organisations)))
        }
    }

    /// The name alone, for `hubfs doctor`.
    package func whoAmI(completion: @escaping @Sendable (Result<String, HubError>) -> Void) {
        account { completion($0.map(\.name)) }
    }

    /// Lists what an account has of one kind, by pages.
    ///
    /// - Parameters:
    ///   - author: A user or an organisation. The Hub answers an empty list for one it does not have.
    ///   - countMax: Repos that are asked for at most.
    package func repos(
        _ kind: RepoKind, of author: String, countMax: Int,
        completion: @escaping @Sendable (Result<RepoListing, HubError>) -> Void
    ) {
        let walk = RepoWalk(
            client: self, author: author, countMax: countMax, completion: completion)
        walk.ask(routes?.repos(kind, of: author))
    }
}

/// Collects the pages of an account's repos.
private final class RepoWalk: Sendable {
    private struct State {
        var author: String?
        var repos: [ListedRepo] = []
        var pageCount = 0
    }

    private let client: HubClient
    private let author: String
    private let countMax: Int
    private let completion: @Sendable (Result<RepoListing, HubError>) -> Void
    private let state = Guarded(State(), rank: .hub)

    init(
        client: HubClient, author: String, countMax: Int,
        completion: @escaping @Sendable (Result<RepoListing, HubError>) -> Void
    ) {
        self.client = client
        self.author = author
        self.countMax = countMax
        self.completion = completion
    }

    /// Pages asked for at most, whatever is on them: a server that answers with small pages, or leads in
    /// a circle, is not followed for ever.
    private static let pageCountMax = 256

    func ask(_ url: WebURL?) {
        client.ask(url, .demand, asksForRepo: false, completion: completion) { [self] answer in
            page(answer)
        }
    }

    private func page(_ answer: Exchange.Answer) {
        guard let rows = JSON(answer.response.body)?.array else {
            return completion(.failure(answer.malformed("the list of repos is not a JSON array")))
        }
        let found = rows.compactMap { repo($0) }
        var next: WebURL?
        if let link = answer.response.head["link"].flatMap(nextLink) {
            next = answer.url.resolving(link)
            guard let next, client.routes?.isOurs(next) == true else {
                return completion(.failure(answer.malformed("the next page is on another server")))
            }
        }
        let listing: RepoListing? = state.withLock { state in
            state.author = state.author ?? found.first?.author
            state.repos += found.map(\.repo)
            state.pageCount += 1
            let isFull = state.repos.count >= countMax || state.pageCount == Self.pageCountMax
            if next != nil, !isFull { return nil }
            return RepoListing(
                author: state.author, repos: Array(state.repos.prefix(countMax)),
                isWhole: next == nil && state.repos.count <= countMax)
        }
        if let listing { completion(.success(listing)) } else { ask(next) }
    }

    /// - Returns: nil for what is not the author's, whose letter case may be another in the question.
    private func repo(_ row: JSON) -> (author: String, repo: ListedRepo)? {
        guard let id = row["id"]?.string, faultOfRepoName(id) == nil else { return nil }
        let parts = id.split(separator: "/")
        guard parts.count == 2, parts[0].lowercased() == author.lowercased() else { return nil }
        let date = row["lastModified"]?.string.flatMap(nanosecondsSince1970)
        return (String(parts[0]), ListedRepo(name: String(parts[1]), modifiedNanoseconds: date))
    }
}
