import HubClient
import Logging
import Platform
import RepoCache

extension HubCatalogue {
    // MARK: Accounts

    /// Finds out how the Hub spells an account that has something of the kind, or `.absent`.
    ///
    /// Nobody is asked for the token's own account and its organisations, for one that has a repo which
    /// this cache has met, and for one whose list is at hand.
    func spelling(of account: HubAccount, completion: @escaping Completion<String>) {
        let known = state.withLock { state -> Result<String, CatalogueError>? in
            if state.isClosed { return .failure(.cache(.closed)) }
            let now = MonotonicInstant.now
            if state.accounts.contains(account) || state.owner?.account?.names(account) == true {
                return .success(account.name)
            }
            if let listed = state.freshList(of: account, now: now) {
                return Self.spelling(in: listed.listing)
            }
            return state.unknown.find(account.description, now: now).map { .failure($0.error) }
        }
        if let known { return completion(known) }
        snapshots.knows(account.kind, of: account.name) { [self] isKnown in
            if isKnown {
                noteAccount(account)
                return completion(.success(account.name))
            }
            list(of: account, isKnown: false) { completion($0.flatMap { Self.spelling(in: $0) }) }
        }
    }

    private static func spelling(in listing: RepoListing) -> Result<String, CatalogueError> {
        listing.author.map { .success($0) } ?? .failure(.absent)
    }

    /// Lists an account's repos. When the Hub cannot be asked, as they were last listed.
    ///
    /// - Parameter isKnown: Whether the account is known to exist: else the question is one for an
    ///   unknown name.
    func list(
        of account: HubAccount, isKnown: Bool, completion: @escaping Completion<RepoListing>
    ) {
        let now = MonotonicInstant.now
        let (known, step) = state.withLock { state -> (RepoListing?, Step) in
            if state.isClosed { return (nil, .fail(.cache(.closed))) }
            if let listed = state.freshList(of: account, now: now) {
                return (listed.listing, .wait)
            }
            if state.listWaiters[account] != nil {
                state.listWaiters[account]?.append(completion)
                return (nil, .wait)
            }
            guard let seconds = state.takeTurn(isKnown: isKnown, policy, now: now) else {
                return (nil, .fail(.busy))
            }
            state.listWaiters[account] = [completion]
            return (nil, .ask(afterSeconds: seconds, isKnown: isKnown))
        }
        if let known { return completion(.success(known)) }
        switch step {
        case .wait: break
        case .fail(let error): completion(.failure(error))
        case .ask(let seconds, let isKnown):
            ask(afterSeconds: seconds) { [self] done in
                client.repos(
                    account.kind, of: account.name, countMax: HubTreePolicy.listedCountMax
                ) { [self] result in
                    done()
                    settle(account, result, isKnown: isKnown)
                }
            } refused: { [self] in
                answer(account, .failure(.busy))
            }
        }
    }

    private func settle(
        _ account: HubAccount, _ result: Result<RepoListing, HubError>, isKnown: Bool
    ) {
        switch result {
        case .success(let listing):
            if !listing.isWhole {
                logger.warning(
                    "\(account) has more repos than are listed: \(listing.repos.count) are shown")
            }
            let now = MonotonicInstant.now
            state.withLock { [policy] state in
                if !isKnown, listing.author != nil { state.budget.giveBack() }
                state.keep(
                    listing, of: account, until: now.advanced(bySeconds: policy.namesSeconds))
            }
            answer(account, .success(listing))
        case .failure(let error):
            giveBack(isKnown: isKnown, after: CatalogueError(.hub(error)))
            let earlier = state.withLock { $0.lists[account]?.listing }
            if let earlier, error.leavesAnswerOpen {
                logger.warning("\(account) is shown as it was last listed: \(error)")
                return answer(account, .success(earlier))
            }
            let error = CatalogueError(.hub(error))
            if error.isVerdict { remember(account.description, error) }
            answer(account, .failure(error))
        }
    }

    private func answer(_ account: HubAccount, _ result: Result<RepoListing, CatalogueError>) {
        let waiters = state.withLock { $0.listWaiters.removeValue(forKey: account) } ?? []
        for completion in waiters { completion(result) }
    }

    // MARK: The token's own

    /// Whose token it is; nil when there is none, or when the Hub does not tell.
    func owner(completion: @escaping @Sendable (Account?) -> Void) {
        guard !client.configuration.isOffline, client.configuration.token.token != nil else {
            return completion(nil)
        }
        let (known, asks) = state.withLock { state -> (Account??, Bool) in
            if state.isClosed { return (.some(nil), false) }
            if let owner = state.owner, owner.until > .now { return (.some(owner.account), false) }
            state.ownerWaiters.append(completion)
            return (nil, state.ownerWaiters.count == 1)
        }
        if let known { return completion(known) }
        guard asks else { return }
        ask(afterSeconds: 0) { [self] done in
            client.account { [self] result in
                done()
                settle(result)
            }
        } refused: { [self] in
            settle(.failure(.cancelled))
        }
    }

    private func settle(_ result: Result<Account, HubError>) {
        let seconds: Double
        let account = try? result.get()
        switch result {
        case .success: seconds = HubTreePolicy.accountSeconds
        case .failure(let error):
            seconds = policy.namesSeconds
            logger.warning("the token's own repos are not listed: \(error)")
        }
        let (shown, waiters) = state.withLock { state in
            // A Hub that cannot be asked again has not taken an account away.
            let shown = account ?? state.owner?.account
            state.owner = (shown, MonotonicInstant.now.advanced(bySeconds: seconds))
            defer { state.ownerWaiters = [] }
            return (shown, state.ownerWaiters)
        }
        for completion in waiters { completion(shown) }
    }
}

extension HubCatalogue.State {
    mutating func keep(
        _ listing: RepoListing, of account: HubAccount, until: MonotonicInstant
    ) {
        var dates: [String: Int64] = [:]
        for repo in listing.repos {
            dates[repo.name] = repo.modifiedNanoseconds ?? 0
            // It may have been asked for in vain, before it was made.
            unknown.remove("\(account)/\(repo.name)")
        }
        lists[account] = HubCatalogue.Listed(listing: listing, until: until, dates: dates)
        var count = lists.values.reduce(0) { $0 + $1.listing.repos.count + 1 }
        let oldestFirst = lists.sorted { $0.value.until < $1.value.until }
        for (other, listed) in oldestFirst where count > HubTreePolicy.rememberedCountMax {
            if other == account { continue }
            count -= listed.listing.repos.count + 1
            lists[other] = nil
        }
    }
}

extension Account {
    /// The token's own account and its organisations.
    var names: [String] { [name] + organisations }

    /// Whether it is the account, or one of its organisations.
    func names(_ account: HubAccount) -> Bool { names.contains(account.name) }
}
