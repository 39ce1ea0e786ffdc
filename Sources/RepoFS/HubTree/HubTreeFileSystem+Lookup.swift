import FuseBridge
import HubClient
import Platform
import RepoCache
import SystemPackage

extension HubTreeFileSystem {
    func lookup(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Lookup>
    ) {
        let part = PartNumbers(of: parent)
        if part != .whole {
            return withRepo(part, reply) { fileSystem, reply in
                fileSystem.lookup(name, in: PartNumbers.inside(parent), reply)
            }
        }
        guard let place = place(parent) else { return reply.fail(.staleNFSFileHandle) }
        if case .link = place { return reply.fail(.notDirectory) }
        let possible = PossibleName(name, in: place)
        switch possible {
        case .nothing: return reply.absent(.forever)
        case .kind(let kind): return reply.entry(entry(.kind(kind)))
        case .account, .accountOrRepo, .repo: break
        }
        if case .repo(let repo) = possible, let entry = knownEntry(repo, as: name) {
            return reply.entry(entry)
        }
        let parked = reply.park()
        find(possible, as: name, in: place) { [self] result in
            guard let reply = parked.take() else { return }
            switch result {
            case .success(let found): answer(reply, found, as: name, in: place)
            case .failure(.absent):
                reply.absent(CacheTime(seconds: catalogue.absenceSeconds(of: possible)))
            case .failure(let error): reply.fail(error.errno)
            }
        }
    }

    /// What a name turns out to be.
    private enum Found {
        /// An account, as the Hub spells it.
        case account(HubAccount)
        /// A repo under the name that the Hub has for it, which is open.
        case repo(TreeRepo, PartNumbers)
    }

    private func find(
        _ possible: PossibleName, as name: FileName, in place: HubPlace,
        completion: @escaping HubCatalogue.Completion<Found>
    ) {
        switch possible {
        case .kind, .nothing: completion(.failure(.absent))
        case .repo(let repo): findRepo(repo, completion: completion)
        case .account(let account): findAccount(account, completion: completion)
        case .accountOrRepo(let account, let repo):
            findAccount(account) { [self] result in
                guard case .failure(.absent) = result else { return completion(result) }
                findRepo(repo, completion: completion)
            }
        }
    }

    private func findAccount(
        _ account: HubAccount, completion: @escaping HubCatalogue.Completion<Found>
    ) {
        catalogue.spelling(of: account) { result in
            completion(result.map { .account(HubAccount(kind: account.kind, name: $0)) })
        }
    }

    /// Resolves a repo and opens it under the name that the Hub has for it.
    private func findRepo(
        _ repo: TreeRepo, completion: @escaping HubCatalogue.Completion<Found>
    ) {
        catalogue.repo(repo) { [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let resolved):
                let name = TreeRepo(resolved.snapshot.repo, repo.revision)
                open(name, resolved.snapshot) { completion($0.map { .repo(name, $0) }) }
            }
        }
    }

    /// The entry of a repo that is open, or that a list has which still holds: nobody is asked. Only under
    /// its own spelling.
    private func knownEntry(_ repo: TreeRepo, as name: FileName) -> Entry? {
        guard FileName(repo.fileName) == name, let account = repo.account else { return nil }
        let listed = repo.revision == nil ? catalogue.freshList(of: account) : nil
        let isAccount = listed?.listing.author == account.name
        let date = isAccount ? listed?.dates[repo.fileName] : nil
        let now = MonotonicInstant.now
        let found = tables.withLock { tables -> (PartNumbers, SlotTable.Slot)? in
            var part = tables.slots.part(of: repo)
            let isOpen = part.flatMap { tables.slots[$0]?.fileSystem } != nil
            if !isOpen, date == nil { return nil }
            if part == nil {
                part = tables.slots.add(repo, listedNanoseconds: date ?? 0, now: now)
            }
            guard let part, let slot = tables.slots.use(part, now: now) else { return nil }
            tables.slots.lookedUp(part)
            return (part, slot)
        }
        return found.map { entry(of: $0.1, $0.0) }
    }

    private func entry(of slot: SlotTable.Slot, _ part: PartNumbers) -> Entry {
        let seconds = slot.fileSystem == nil ? policy.namesSeconds : CacheTime.forever.seconds
        return Entry(
            node: part.outside(.root), generation: 0,
            attributes: attributes(ofRootOf: slot),
            cacheTime: CacheTime(seconds: seconds))
    }

    private func answer(
        _ reply: consuming Reply<RequestKind.Lookup>, _ found: Found, as name: FileName,
        in place: HubPlace
    ) {
        switch found {
        case .account(let account):
            let isItsPlace = place == .kind(account.kind) && FileName(account.name) == name
            if isItsPlace { return reply.entry(entry(.account(account))) }
            reply.entry(link(name, in: place, to: account.description))
        case .repo(let repo, let part):
            guard repo.place == place, FileName(repo.fileName) == name else {
                return reply.entry(link(name, in: place, to: repo.description))
            }
            let slot = tables.withLock { tables in
                tables.slots.lookedUp(part)
                return tables.slots[part]
            }
            guard let slot else { return reply.fail(.staleNFSFileHandle) }
            reply.entry(entry(of: slot, part))
        }
    }

    /// The entry of another spelling: a link to the one that the Hub has.
    ///
    /// - Parameter path: From the root of the tree.
    private func link(_ name: FileName, in place: HubPlace, to path: String) -> Entry {
        let here = place.path.split(separator: "/")
        let there = path.split(separator: "/")
        let shared = zip(here, there).prefix { $0 == $1 }.count
        let target =
            Array(repeating: "..", count: here.count - shared) + there[shared...].map(String.init)
        return entry(
            .link(
                path: (here.map(String.init) + [name.description]).joined(separator: "/"),
                target: target.joined(separator: "/")))
    }
}
