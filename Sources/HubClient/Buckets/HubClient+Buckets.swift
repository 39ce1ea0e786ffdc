import HTTPTransport
import Platform

/// Which files of a bucket are looked at: what `Revision` is for a repo.
package struct BucketPart: Hashable, Sendable {
    /// A folder from the root of the bucket, "" for all of it.
    package let path: String

    package init(path: String) { self.path = path }

    /// - Returns: nil for the name of a state.
    init?(_ revision: Revision) {
        if revision == .main {
            path = ""
        } else if revision.name.hasPrefix(Revision.main.name + "/") {
            path = String(revision.name.dropFirst(Revision.main.name.count + 1))
        } else {
            return nil
        }
    }

    /// `main`, or `main/PATH`.
    package var revision: Revision {
        path.isEmpty ? .main : Revision("\(Revision.main.name)/\(path)")
    }
}

extension HubClient {
    /// The state that a bucket has now: all of its files are listed for it. One that was seen is known by
    /// its name.
    func resolveBucket(
        _ repo: RepoID, _ revision: Revision, knowing known: RepoSnapshot?,
        priority: FetchPriority,
        completion: @escaping @Sendable (Result<RepoSnapshot, HubError>) -> Void
    ) {
        guard let part = BucketPart(revision) else {
            let state = CommitOID(hex: revision.name).flatMap { bucketStates.state(repo, $0) }
            return runOnTransferThread {
                completion(
                    state.map { .success(RepoSnapshot(repo, $0)) }
                        ?? .failure(.stateIsGone(of: repo, revision)))
            }
        }
        let walk = PageWalk(
            client: self, entryCountMax: Self.bucketEntryCountMax, priority: priority,
            read: { bytes throws(TreePage.Invalid) in try BucketEntry.entries(bytes) }
        ) { [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let (entries, isWhole)):
                guard isWhole else {
                    return completion(
                        .failure(
                            .malformed(
                                url: "\(repo)",
                                reason: "more files than \(Self.bucketEntryCountMax)")))
                }
                let state = BucketState(entries, part: part.path)
                bucketStates.keep(state, of: repo)
                let snapshot = RepoSnapshot(repo, state)
                completion(.success(snapshot.commit == known?.commit ? known! : snapshot))
            }
        }
        walk.ask(routes?.bucketTree(repo, prefix: part.path))
    }

    /// Lists a folder of a state that was seen.
    func listBucket(
        _ repo: RepoID, at commit: CommitOID, path: String, recursive: Bool, entryCountMax: Int,
        completion: @escaping @Sendable (Result<TreeListing, HubError>) -> Void
    ) {
        runOnTransferThread { [self] in
            guard let state = bucketStates.state(repo, commit) else {
                return completion(.failure(.stateIsGone(of: repo, Revision(commit.hex))))
            }
            guard let entries = state.entries(of: path, recursive: recursive) else {
                return completion(.failure(.noFolder(path, of: repo)))
            }
            let listing = TreeListing(
                entries: Array(entries.prefix(entryCountMax)),
                isWhole: entries.count <= entryCountMax)
            completion(.success(listing))
        }
    }

    /// Files of a bucket that are shown at most; a mount of a part of it shows others.
    static let bucketEntryCountMax = 2_000_000
}

extension RepoSnapshot {
    init(_ repo: RepoID, _ state: BucketState) {
        self.init(
            repo: repo, commit: state.commit, commitDateNanoseconds: state.dateNanoseconds)
    }
}

extension HubError {
    /// A bucket is asked for a state that it had once, and that nobody has kept.
    static func stateIsGone(of repo: RepoID, _ revision: Revision) -> HubError {
        .revisionNotFound(
            Refusal(
                status: 404, message: "a bucket's earlier state \(revision) is not kept",
                requestID: "", url: "\(repo)"))
    }

    package static func noFolder(_ path: String, of repo: RepoID) -> HubError {
        .entryNotFound(
            Refusal(
                status: 404, message: "no file's name begins with \(path)/", requestID: "",
                url: "\(repo)"))
    }
}
