/// The Hub's URLs that hubfs asks, below one endpoint.
struct HubRoutes: Sendable {
    let endpoint: WebURL
    /// The endpoint as it is put before a path.
    let base: String

    /// - Returns: nil when the endpoint is no http or https URL.
    init?(endpoint text: String) {
        var base = text
        while base.hasSuffix("/") { base.removeLast() }
        guard let endpoint = WebURL(base), !base.contains("?") else { return nil }
        self.endpoint = endpoint
        self.base = base
    }

    /// True when the URL is on the endpoint's own scheme, host and port: only then may it be sent
    /// the token.
    func isOurs(_ url: WebURL) -> Bool { url.origin == endpoint.origin }

    /// `expand` leaves out `siblings`, the list of all files. Kernels have no such list, nor `expand`.
    func revision(_ repo: RepoID, _ revision: Revision) -> WebURL? {
        let name = percentEncoded(revision.name, keepsSlash: false)
        let query = repo.kind == .kernel ? "" : "?expand=sha&expand=lastModified"
        return api(repo, "/revision/\(name)\(query)")
    }

    /// The newest commit of the history that ends at `commit`: itself.
    func commit(_ repo: RepoID, _ commit: CommitOID) -> WebURL? {
        api(repo, "/commits/\(commit.hex)?p=0&limit=1")
    }

    func tree(_ repo: RepoID, _ commit: CommitOID, path: String, recursive: Bool) -> WebURL? {
        let directory = path.isEmpty ? "" : "/" + percentEncoded(path, keepsSlash: true)
        return api(repo, "/tree/\(commit.hex)\(directory)?recursive=\(recursive)&expand=false")
    }

    func treeSize(_ repo: RepoID, _ commit: CommitOID, path: String) -> WebURL? {
        let directory = path.isEmpty ? "" : "/" + percentEncoded(path, keepsSlash: true)
        return api(repo, "/treesize/\(commit.hex)\(directory)")
    }

    func content(_ location: ContentLocation) -> WebURL? {
        let repo = location.repo
        let path = percentEncoded(location.path, keepsSlash: true)
        if repo.kind == .bucket {
            return WebURL("\(base)/buckets/\(repo.name)/resolve/\(path)")
        }
        return WebURL(
            "\(base)/\(repo.kind.urlPrefix)\(repo.name)/resolve/\(location.commit.hex)/\(path)")
    }

    /// The repos of one kind that a user or an organisation has, as far as the token sees them, with the
    /// dates of their newest commits. 1000 is the largest page.
    func repos(_ kind: RepoKind, of author: String) -> WebURL? {
        let author = percentEncoded(author, keepsSlash: false)
        return WebURL(
            "\(base)/api/\(kind.apiName)?author=\(author)&limit=1000&expand=lastModified")
    }

    /// All files of a bucket whose paths begin with a text; 5000 is the largest page.
    func bucketTree(_ repo: RepoID, prefix: String) -> WebURL? {
        let prefix = prefix.isEmpty ? "" : "/" + percentEncoded(prefix, keepsSlash: false)
        return api(repo, "/tree\(prefix)?recursive=true&limit=5000")
    }

    /// What changes in a bucket, as it happens.
    ///
    /// - Parameter cursor: Begins behind an event of before; nil: now.
    func bucketEvents(_ repo: RepoID, after cursor: String?) -> WebURL? {
        let query = cursor.map { "?cursor=" + percentEncoded($0, keepsSlash: false) } ?? ""
        return api(repo, "/events" + query)
    }

    /// Where a token for the content-addressed store is to be had.
    ///
    /// - Parameters:
    ///   - scope: `read` or `write`.
    ///   - revision: Of a repo; a bucket has none.
    func xetToken(_ scope: String, _ repo: RepoID, _ revision: String) -> WebURL? {
        let revision =
            repo.kind == .bucket ? "" : "/" + percentEncoded(revision, keepsSlash: false)
        return api(repo, "/xet-\(scope)-token\(revision)")
    }

    var whoAmI: WebURL? { WebURL(base + "/api/whoami-v2") }

    func api(_ repo: RepoID, _ rest: String) -> WebURL? {
        WebURL("\(base)/api/\(repo.kind.apiName)/\(repo.name)\(rest)")
    }
}
