import Platform

/// The states of buckets that were seen last, so that they can be looked at later.
///
/// The cache's database has the listings of those that are mounted; here are those of which something may
/// still be asked.
final class BucketStates: Sendable {
    private let states = Guarded<[(repo: RepoID, state: BucketState)]>([], rank: .hub)

    /// One that is shown, one that is compared with it, and what comes of it when something is written.
    private static let countMax = 4

    func state(_ repo: RepoID, _ commit: CommitOID) -> BucketState? {
        states.withLock { states in
            guard
                let index = states.firstIndex(where: {
                    $0.repo == repo && $0.state.commit == commit
                })
            else { return nil }
            // The least used goes first.
            let found = states.remove(at: index)
            states.append(found)
            return found.state
        }
    }

    func keep(_ state: BucketState, of repo: RepoID) {
        states.withLock { states in
            states.removeAll { $0.repo == repo && $0.state.commit == state.commit }
            states.append((repo, state))
            if states.count > Self.countMax { states.removeFirst() }
        }
    }
}
