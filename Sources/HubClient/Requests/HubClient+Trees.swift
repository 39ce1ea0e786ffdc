import HTTPTransport
import Platform

extension HubClient: TreeOrigin {
    /// Asks for the revision's commit, then for the commit's own date.
    ///
    /// The repo's `lastModified` is the date of the newest commit on any branch: not good enough for
    /// an mtime, which must be the same in every mount of this commit. Where the history may not be
    /// read it is the next best.
    package func resolve(
        _ repo: RepoID, _ revision: Revision,
        completion: @escaping @Sendable (Result<RepoSnapshot, HubError>) -> Void
    ) {
        let url = urls.api(repo, "revision/\(percentEncoded(revision.name))")
        json(url) { [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success((let info, _)):
                guard let commit = info["sha"]?.string.flatMap({ CommitOID(hex: $0) }) else {
                    return completion(.failure(.malformed(url: url, reason: "no commit sha")))
                }
                let canonical = RepoID(kind: repo.kind, name: info["id"]?.string ?? repo.name)
                let fallback = info["lastModified"]?.string.flatMap { nanoseconds(iso8601: $0) }
                commitDate(canonical, commit) { date in
                    completion(
                        date.map {
                            RepoSnapshot(
                                repo: canonical, commit: commit,
                                commitDateNanoseconds: $0 ?? fallback ?? 0)
                        })
                }
            }
        }
    }

    package func list(
        _ repo: RepoID, at commit: CommitOID, path: String, recursive: Bool, entryCountMax: Int,
        priority: FetchPriority,
        completion: @escaping @Sendable (Result<TreeListing, HubError>) -> Void
    ) {
        let encoded = path.isEmpty ? "" : "/" + percentEncoded(path, keeping: "/")
        let url = urls.api(repo, "tree/\(commit)\(encoded)?recursive=\(recursive)&expand=false")
        TreePages(
            client: self, entryCountMax: entryCountMax, priority: priority, completion: completion
        ).ask(url)
    }

    /// The bytes of all files below a path, for `statfs`.
    package func treeSize(
        _ repo: RepoID, at commit: CommitOID, path: String,
        completion: @escaping @Sendable (Result<UInt64, HubError>) -> Void
    ) {
        let url = urls.api(
            repo, "treesize/\(commit)/\(percentEncoded(path, keeping: "/"))")
        json(url, priority: .prefetch) { result in
            completion(
                result.flatMap { json, _ in
                    json["size"]?.unsigned.map { .success($0) }
                        ?? .failure(.malformed(url: url, reason: "no size"))
                })
        }
    }

    /// Who the token belongs to.
    package func whoAmI(completion: @escaping @Sendable (Result<String, HubError>) -> Void) {
        let url = urls.endpoint + "/api/whoami-v2"
        json(url) { result in
            completion(
                result.flatMap { json, _ in
                    json["name"]?.string.map { .success($0) }
                        ?? .failure(.malformed(url: url, reason: "no name"))
                })
        }
    }

    /// - Parameter completion: Gets nil when the history may not be read or does not say.
    private func commitDate(
        _ repo: RepoID, _ commit: CommitOID,
        completion: @escaping @Sendable (Result<Int64?, HubError>) -> Void
    ) {
        json(urls.api(repo, "commits/\(commit)?p=0&limit=1")) { result in
            switch result {
            case .success((let history, _)):
                let date = history.array?.first?["date"]?.string
                completion(.success(date.flatMap { nanoseconds(iso8601: $0) }))
            case .failure(.gated), .failure(.forbidden), .failure(.repoNotFound):
                completion(.success(nil))
            case .failure(let error): completion(.failure(error))
            }
        }
    }
}

/// Follows the pages of one listing.
///
/// `@unchecked Sendable`: each page is asked for when the one before has been taken.
private final class TreePages: @unchecked Sendable {
    private let client: HubClient
    private let entryCountMax: Int
    private let priority: FetchPriority
    private let completion: @Sendable (Result<TreeListing, HubError>) -> Void
    private var entries: [TreeEntry] = []
    private var emptyPageCount = 0

    init(
        client: HubClient, entryCountMax: Int, priority: FetchPriority,
        completion: @escaping @Sendable (Result<TreeListing, HubError>) -> Void
    ) {
        self.client = client
        self.entryCountMax = entryCountMax
        self.priority = priority
        self.completion = completion
    }

    func ask(_ url: String) {
        client.json(url, priority: priority) { result in
            switch result {
            case .failure(let error): self.completion(.failure(error))
            case .success((let page, let head)): self.take(page, head, url)
            }
        }
    }

    private func take(_ page: JSON, _ head: HTTPResponseHead, _ url: String) {
        let logged = String(url.prefix { $0 != "?" })
        guard let rows = page.array else { return fail(logged, "the listing is no array") }
        for row in rows {
            guard let entry = TreeEntry(row) else { return fail(logged, "an entry is incomplete") }
            entries.append(entry)
        }
        guard let next = head["link"].flatMap(nextLink) else { return finish(isWhole: true) }
        guard client.urls.isOurs(next) else { return fail(logged, "the next page is elsewhere") }
        // A server that never ends must not keep us for ever.
        emptyPageCount += rows.isEmpty ? 1 : 0
        guard emptyPageCount < 3, next != url else { return fail(logged, "the pages do not end") }
        if entries.count >= entryCountMax { return finish(isWhole: false) }
        ask(next)
    }

    private func finish(isWhole: Bool) {
        completion(.success(TreeListing(entries: entries, isWhole: isWhole)))
    }

    private func fail(_ url: String, _ reason: String) {
        let error = HubError.malformed(url: url, reason: reason)
        client.counters.note(error)
        completion(.failure(error))
    }
}

/// The URL with `rel="next"` in a Link header. Source: RFC 8288.
private func nextLink(_ header: String) -> String? {
    for link in header.split(separator: ",") {
        guard link.contains("rel=\"next\""), let start = link.firstIndex(of: "<"),
            let end = link.firstIndex(of: ">"), start < end
        else { continue }
        return String(link[link.index(after: start)..<end])
    }
    return nil
}

extension TreeEntry {
    /// One row of a tree listing. The size of an LFS file is its own, never its pointer's.
    fileprivate init?(_ row: JSON) {
        guard let path = row["path"]?.string, !path.isEmpty, let oid = row["oid"]?.string else {
            return nil
        }
        if row["type"]?.string == "directory" {
            guard let tree = TreeOID(hex: oid) else { return nil }
            self.init(path: path, kind: .directory(tree))
        } else if let lfs = row["lfs"], lfs != .null {
            guard let sha256 = lfs["oid"]?.string.flatMap({ LFSOID(hex: $0) }),
                let size = lfs["size"]?.unsigned ?? row["size"]?.unsigned
            else { return nil }
            self.init(path: path, kind: .file(.lfs(sha256), size: size))
        } else {
            guard let blob = BlobOID(hex: oid), let size = row["size"]?.unsigned else {
                return nil
            }
            self.init(path: path, kind: .file(.git(blob), size: size))
        }
    }
}

/// Nanoseconds since 1970 of a date such as `2026-01-02T03:04:05.000Z`; nil for any other form.
func nanoseconds(iso8601 text: String) -> Int64? {
    let fields = text.split { "-T:Z".contains($0) }
    guard text.hasSuffix("Z"), fields.count == 6, let year = Int64(fields[0]),
        let month = Int64(fields[1]), (1...12).contains(month), let day = Int64(fields[2]),
        let hour = Int64(fields[3]), let minute = Int64(fields[4]), let second = Double(fields[5])
    else { return nil }
    // Days since 1970 by counting years from March, so that the leap day comes last.
    let marchYear = month > 2 ? year : year - 1
    let marchMonth = (month + 9) % 12
    let days =
        365 * marchYear + marchYear / 4 - marchYear / 100 + marchYear / 400
        + (153 * marchMonth + 2) / 5 + day - 1 - 719_468
    let seconds = ((days * 24 + hour) * 60 + minute) * 60
    return seconds * 1_000_000_000 + Int64((second * 1000).rounded()) * 1_000_000
}
