import Platform

/// The states of buckets that were seen last, so that they can be looked at later.
///
/// The cache's database has the listings of those that are mounted; here are those of which something may
/// still be asked.
final class BucketStates: Sendable {
    private let states = Guarded<[(repo: RepoID, state: BucketState)]>([], rank: .hub)

    /// By bytes: paths that Unicode holds equal are different paths.
    private struct Path: Hashable {
        let repo: RepoID
        let path: [UInt8]
    }

    /// What we have sent last, by path; nil for what was deleted.
    private let ours = Guarded<[Path: String?]>([:], rank: .leaf)
    private static let oursCountMax = 20_000

    /// One that is edited, and what the bucket has. Each takes some hundred bytes a file.
    private static let countMax = 2

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

    /// Notes what is about to be sent, so that it is no news when the Hub tells of it.
    func noteOurs(_ operations: [BucketOperation], in repo: RepoID) {
        ours.withLock { ours in
            if ours.count + operations.count > Self.oursCountMax { ours = [:] }
            for operation in operations {
                ours[Path(repo: repo, path: Array(operation.path.utf8))] = .some(
                    operation.content?.hex)
            }
        }
    }

    /// Whether a change is what was noted last of its path.
    ///
    /// - Parameter hash: What the path has by it; nil when it is gone.
    func isOurs(_ repo: RepoID, _ path: String, _ hash: String?) -> Bool {
        ours.withLock { ours in
            ours[Path(repo: repo, path: Array(path.utf8))].map { $0 == hash } ?? false
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
