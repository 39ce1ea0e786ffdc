/// How urgent a request is: demand has a reader waiting, prefetch is a guess.
///
/// Demand goes first everywhere: on the rate-limit gate, on connections, in budgets. Prefetch
/// stops when half of the Hub's remaining quota is used up.
package enum FetchPriority: Int, Hashable, Sendable, Comparable {
    case prefetch = 0
    case demand = 1

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Takes the bytes of one fetch as they arrive.
///
/// All calls of one fetch come in order and never at the same time, on a transfer thread:
/// they must not block on the network or on a lock held over I/O waits.
package protocol ContentReceiver: AnyObject, Sendable {
    /// Takes the next bytes. Ranges arrive in order without gaps or overlap, whatever was
    /// retried or resumed below.
    ///
    /// - Parameter offset: Bytes from the start of the content.
    /// - Returns: false to cancel the fetch; `finished` follows with `.cancelled`.
    func receive(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool

    /// Ends the fetch, exactly once: success only when every byte of the range was delivered.
    func finished(_ result: Result<Void, HubError>)
}

/// A fetch under way.
package protocol Fetch: AnyObject, Sendable {
    /// Ends the fetch soon; `finished` is still called, with `.cancelled` if it had not ended.
    func cancel()
}

/// Where contents come from by range. The Hub is the real one; tests have one in memory.
package protocol ContentOrigin: AnyObject, Sendable {
    /// Starts fetching `range` of a content and returns at once.
    ///
    /// The origin resolves, retries, resumes short bodies, re-resolves an expired URL and checks
    /// that each answer is the range that was asked for. It does not verify digests.
    ///
    /// - Parameters:
    ///   - range: Bytes of the content; not empty, within `location.size`.
    ///   - priority: May not be changed later; cancel and ask again instead.
    func fetch(
        _ location: ContentLocation, range: Range<UInt64>, priority: FetchPriority,
        into receiver: any ContentReceiver
    ) -> any Fetch
}

/// Where directory listings and revisions come from.
package protocol TreeOrigin: AnyObject, Sendable {
    /// Resolves a revision to the commit it names now, with what a mount needs to know of it.
    ///
    /// - Parameter known: What it named before. If it still does, that is the answer, and no more
    ///   than one question is asked.
    func resolve(
        _ repo: RepoID, _ revision: Revision, knowing known: RepoSnapshot?,
        priority: FetchPriority,
        completion: @escaping @Sendable (Result<RepoSnapshot, HubError>) -> Void)

    /// Lists one directory (`recursive` false) or everything below it, every page of it.
    ///
    /// - Parameters:
    ///   - path: Directory from the root of the repo, "" for the root itself.
    ///   - entryCountMax: A listing that grows past this ends early, see `TreeListing.isWhole`.
    func list(
        _ repo: RepoID, at commit: CommitOID, path: String, recursive: Bool, entryCountMax: Int,
        priority: FetchPriority,
        completion: @escaping @Sendable (Result<TreeListing, HubError>) -> Void)
}

extension TreeOrigin {
    /// Resolves a revision of which nothing is known, for somebody who waits.
    package func resolve(
        _ repo: RepoID, _ revision: Revision,
        completion: @escaping @Sendable (Result<RepoSnapshot, HubError>) -> Void
    ) {
        resolve(repo, revision, knowing: nil, priority: .demand, completion: completion)
    }
}

/// The answer to `TreeOrigin.list`.
package struct TreeListing: Sendable {
    package let entries: [TreeEntry]
    /// False when the listing was cut off at `entryCountMax`.
    package let isWhole: Bool

    package init(entries: [TreeEntry], isWhole: Bool) {
        self.entries = entries
        self.isWhole = isWhole
    }
}

/// A revision resolved to a commit.
package struct RepoSnapshot: Hashable, Sendable {
    /// The repo under its canonical name, after redirects of legacy and renamed ids.
    package let repo: RepoID
    package let commit: CommitOID
    /// Date of the commit in nanoseconds since 1970; the mtime of every file of the snapshot.
    package let commitDateNanoseconds: Int64

    package init(repo: RepoID, commit: CommitOID, commitDateNanoseconds: Int64) {
        self.repo = repo
        self.commit = commit
        self.commitDateNanoseconds = commitDateNanoseconds
    }
}
