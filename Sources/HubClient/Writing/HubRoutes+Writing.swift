/// The URLs asked when something is written.
extension HubRoutes {
    func preupload(_ repo: RepoID, _ revision: Revision, createsPullRequest: Bool) -> WebURL? {
        api(repo, "/preupload/\(segment(revision.name))" + flag(createsPullRequest))
    }

    func commit(_ repo: RepoID, to revision: Revision, createsPullRequest: Bool) -> WebURL? {
        api(repo, "/commit/\(segment(revision.name))" + flag(createsPullRequest))
    }

    /// Takes changes of a bucket's files.
    func bucketBatch(_ repo: RepoID) -> WebURL? { api(repo, "/batch") }

    var validateYAML: WebURL? { WebURL(base + "/api/validate-yaml") }

    /// Below the address git itself would use.
    func lfsBatch(_ repo: RepoID) -> WebURL? {
        WebURL("\(base)/\(repo.kind.urlPrefix)\(repo.name).git/info/lfs/objects/batch")
    }

    func history(_ repo: RepoID, _ revision: Revision, limit: Int) -> WebURL? {
        api(repo, "/commits/\(segment(revision.name))?p=0&limit=\(limit)")
    }

    func pathsInfo(_ repo: RepoID, _ revision: Revision) -> WebURL? {
        // A bucket has one state, and it is always asked for that.
        api(repo, "/paths-info" + (repo.kind == .bucket ? "" : "/\(segment(revision.name))"))
    }

    func comparison(_ repo: RepoID, from base: Revision, to head: Revision) -> WebURL? {
        api(repo, "/compare/\(segment(base.name + ".." + head.name))?raw=true")
    }

    func branch(_ repo: RepoID, _ name: String) -> WebURL? {
        api(repo, "/branch/\(segment(name))")
    }

    func discussions(_ repo: RepoID) -> WebURL? { api(repo, "/discussions") }

    func refs(_ repo: RepoID, includesPullRequests: Bool) -> WebURL? {
        api(repo, "/refs" + (includesPullRequests ? "?include_prs=1" : ""))
    }

    /// A URL out of an answer of the Hub's. The public Hub's name stands for the endpoint in use,
    /// as in the official client: what lies behind a proxy or a mirror names itself so.
    func target(_ href: String) -> WebURL? {
        let publicHub = "https://huggingface.co"
        guard href == publicHub || href.hasPrefix(publicHub + "/") else { return WebURL(href) }
        return WebURL(base + href.dropFirst(publicHub.count))
    }

    private func segment(_ name: String) -> String { percentEncoded(name, keepsSlash: false) }

    private func flag(_ createsPullRequest: Bool) -> String {
        createsPullRequest ? "?create_pr=1" : ""
    }
}
