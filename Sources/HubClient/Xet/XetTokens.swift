import Glibc
import Platform

/// The tokens for the content-addressed store, one for each repo and commit: asked for once for
/// everybody who waits, and anew before they run out.
final class XetTokens: Sendable {
    typealias Completion = @Sendable (Result<XetAccess, HubError>) -> Void

    private struct Key: Hashable {
        let repo: RepoID
        let commit: CommitOID

        /// A bucket has one token, whatever its state.
        init(_ repo: RepoID, _ commit: CommitOID) {
            self.repo = repo
            self.commit = repo.kind == .bucket ? CommitOID(words: DigestWords()) : commit
        }
    }

    private struct State {
        var known: [Key: XetAccess] = [:]
        /// Why there was none, and until when nobody asks again.
        var refused: [Key: (error: HubError, until: MonotonicInstant)] = [:]
        /// Invariant: a question is under way for each key here.
        var flights: [Key: [Completion]] = [:]
    }

    private enum Lookup {
        case known(Result<XetAccess, HubError>)
        case joined
        case asks
    }

    /// A token is not used any more so long before its end: the official client's margin.
    static let marginSeconds = 30.0
    /// A Hub or a repo without such a store is not asked again for so long.
    private static let refusalSeconds = 60.0
    /// Commits whose tokens are kept; a repo that is followed has many.
    private static let countMax = 256

    private let state = Guarded(State(), rank: .hub)

    /// - Parameter completion: Called here and now when the answer is known, else on a transfer
    ///   thread.
    func find(
        _ repo: RepoID, _ commit: CommitOID, client: HubClient, completion: @escaping Completion
    ) {
        let key = Key(repo, commit)
        let now = Double(time(nil))
        let lookup: Lookup = state.withLock { state in
            if let access = state.known[key], access.expiresAt > now + Self.marginSeconds {
                return .known(.success(access))
            }
            if let refused = state.refused[key], refused.until > .now {
                return .known(.failure(refused.error))
            }
            let isFirst = state.flights[key] == nil
            state.flights[key, default: []].append(completion)
            return isFirst ? .asks : .joined
        }
        switch lookup {
        case .known(let result): completion(result)
        case .joined: break
        case .asks: ask(key, client)
        }
    }

    /// Drops a token that the store refused, unless it was renewed meanwhile.
    func forget(_ access: XetAccess, of repo: RepoID, _ commit: CommitOID) {
        let key = Key(repo, commit)
        state.withLock { if $0.known[key] == access { $0.known[key] = nil } }
    }

    private func ask(_ key: Key, _ client: HubClient) {
        guard
            let url = client.routes?.xetToken("read", key.repo, key.commit.hex)
        else {
            let endpoint = client.configuration.endpoint
            return answer(key, .failure(.malformed(url: endpoint, reason: "no URL")))
        }
        var question = Exchange.Question(url: url, kind: .api, counter: .api, priority: .prefetch)
        question.bodyByteCountMax = 256 << 10
        question.retryWaits = Reconstructions.retryWaits
        Exchange(client, question) { [self] result in
            answer(
                key,
                result.flatMap { answer in
                    guard let access = XetAccess(answer.response) else {
                        return .failure(answer.malformed("no token for the store"))
                    }
                    return .success(access)
                })
        }.start()
    }

    private func answer(_ key: Key, _ result: Result<XetAccess, HubError>) {
        let waiters = state.withLock { state in
            switch result {
            case .success(let access):
                if state.known.count >= Self.countMax { state.known = [:] }
                state.known[key] = access
                state.refused[key] = nil
            case .failure(let error):
                if state.refused.count >= Self.countMax { state.refused = [:] }
                state.refused[key] = (
                    error, MonotonicInstant.now.advanced(bySeconds: Self.refusalSeconds)
                )
            }
            return state.flights.removeValue(forKey: key) ?? []
        }
        for waiter in waiters { waiter(result) }
    }
}
