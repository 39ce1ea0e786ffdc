import Foundation
import HTTPTypes

/// What the handlers of both listeners work with.
struct HubService: Sendable {
    let hub: Hub
    let blocking: Blocking
    let signer: URLSigner
    let faults: FaultBoard
    let counters: Counters
    let addresses: Addresses
    /// How long a CDN URL lives.
    let urlLifetimeSeconds: Int
    /// Entries of a tree page where the request says nothing, and at most.
    let pageSizeMax: Int
    /// Which uploads come in parts.
    let parts: PartRule
    let multipart: MultipartStore
    /// The CAS; nil if this Hub knows nothing of Xet.
    let xet: XetService?

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    var endpoint: String { addresses.endpoint }
    /// `http://localhost:PORT`.
    var cdnEndpoint: String { addresses.cdnEndpoint }
    /// What URLs for downloads begin with.
    var downloadEndpoint: String { addresses.downloadEndpoint }

    /// Runs the handler of an endpoint of the Hub's own listener.
    func handle(_ request: HubRequest, _ endpoint: Endpoint) async throws -> Answer {
        switch endpoint {
        case .whoami: return try await whoami(request)
        case .createRepo: return try await createRepo(request)
        case .moveRepo: return try await moveRepo(request)
        case .deleteRepo: return try await deleteRepo(request)
        case .validateYAML: return try await validateYAML(request)
        case .completeMultipart: return try await completeMultipart(request)
        case .listRepos(let kind): return try await listRepos(kind, request)
        case .resolveCache(let kind, let namespace, let name, let commit, let path):
            return try await resolveCache(
                kind, namespace: namespace, name: name, commit: commit, path: path, request)
        case .repo(let kind, let addresses):
            switch try await find(kind, addresses, request) {
            case .redirect(let answer): return answer
            case .repo(let repo, let action, let caller):
                return try await handle(request, repo, action, caller)
            }
        case .cas(let action): return try await cas(action, request)
        case .bucket(let address): return try await buckets(address, request)
        case .admin, .unknown:
            throw Refusal.unknownPath
        }
    }

    private func handle(
        _ request: HubRequest, _ repo: RepoRecord, _ action: RepoAction, _ caller: Caller
    ) async throws -> Answer {
        let target = RepoTarget(
            repo: repo, repository: hub.repository(repo), caller: caller, service: self,
            request: request)
        switch (action, request.method) {
        case (.resolve(let revision, let path), .get), (.resolve(let revision, let path), .head):
            return try await target.resolve(revision, path)
        case (.raw(let revision, let path), .get), (.raw(let revision, let path), .head):
            return try await target.raw(revision, path)
        case (.info(let revision), .get), (.info(let revision), .head):
            return try await target.info(revision)
        case (.tree(let revision, let path), .get): return try await target.tree(revision, path)
        case (.treeSize(let revision, let path), .get):
            return try await target.treeSize(revision, path)
        case (.pathsInfo(let revision), .post): return try await target.pathsInfo(revision)
        case (.refs, .get): return try await target.refs()
        case (.commits(let revision), .get): return try await target.commits(revision)
        case (.compare(let range), .get): return try await target.compare(range)
        case (.xetToken(let scope, let revision), .get):
            return try await target.xetToken(scope, revision)
        case (.lfsFiles, .get): return try await target.lfsFiles()
        case (.discussions, .get): return try await target.listDiscussions()
        case (.discussion(let number), .get): return try await target.discussion(number)
        default: return try await change(target, action)
        }
    }

    private func change(_ target: RepoTarget, _ action: RepoAction) async throws -> Answer {
        switch (action, target.request.method) {
        case (.preupload(let revision), .post): return try await target.preupload(revision)
        case (.commit(let revision), .post): return try await target.commit(revision)
        case (.branch(let name), .post): return try await target.createBranch(name)
        case (.branch(let name), .delete): return try await target.deleteBranch(name)
        case (.tag(let revision), .post): return try await target.createTag(revision)
        case (.tag(let name), .delete): return try await target.deleteTag(name)
        case (.settings, .put): return try await target.changeSettings()
        case (.lfsBatch, .post): return try await target.lfsBatch()
        case (.lfsVerify, .post): return try await target.lfsVerify()
        case (.superSquash(let branch), .post): return try await target.superSquash(branch)
        case (.lfsFilesBatch, .post): return try await target.deleteLFSFiles()
        case (.lfsFilesDuplicate, .post): return try await target.duplicateLFSFiles()
        case (.lfsFile(let oid), .delete): return try await target.deleteLFSFile(oid)
        case (.discussions, .post): return try await target.openDiscussion()
        case (.discussionPart(let number, let part), let method):
            return try await change(target, number, part, method)
        default: throw Refusal.unknownPath
        }
    }

    private func change(
        _ target: RepoTarget, _ number: Int, _ part: RepoAction.DiscussionPart,
        _ method: HTTPRequest.Method
    ) async throws -> Answer {
        switch (part, method) {
        case (.comment, .post): return try await target.comment(on: number)
        case (.title, .post): return try await target.rename(number)
        case (.status, .post): return try await target.changeStatus(of: number)
        case (.merge, .post): return try await target.merge(number)
        case (.ref, .delete): return try await target.deletePullRequestRef(number)
        default: throw Refusal.unknownPath
        }
    }

    // MARK: Finding the repo

    private enum Found {
        case repo(RepoRecord, RepoAction, Caller)
        case redirect(Answer)
    }

    private func find(
        _ kind: RepoKind, _ addresses: [RepoAddress], _ request: HubRequest
    ) async throws -> Found {
        try await blocking.run {
            let caller = try Caller(request.headers, registry: hub.registry)
            for address in addresses {
                guard let repo = try find(kind, address.id) else { continue }
                try caller.requireSight(of: repo)
                if address.id == [repo.name.namespace, repo.name.name] {
                    return .repo(repo, address.action, caller)
                }
                return .redirect(redirect(to: repo, address, request))
            }
            throw Refusal.repoNotFound(isAnonymous: caller.isAnonymous)
        }
    }

    /// The repo of that id, be it a former or a short one.
    func find(_ kind: RepoKind, _ id: [String]) throws -> RepoRecord? {
        if id.count == 1 { return try hub.registry.repo(kind, alias: id[0]) }
        guard let name = RepoName(namespace: id[0], name: id[1]) else { return nil }
        return try hub.registry.repo(kind, name)
            ?? hub.registry.repo(kind, alias: name.description)
    }

    /// An old id, or one in other letters: the same path with the repo's own id.
    private func redirect(
        to repo: RepoRecord, _ address: RepoAddress, _ request: HubRequest
    ) -> Answer {
        let query = request.rawQuery.map { "?" + $0 } ?? ""
        let location = address.before + repo.name.description + address.after + query
        return .text(
            .temporaryRedirect, "Temporary Redirect. Redirecting to \(location)",
            headers: [.location: location])
    }
}

/// A repo somebody may know of, and the request about it; the handlers are its methods.
struct RepoTarget: Sendable {
    let repo: RepoRecord
    let repository: GitRepository
    let caller: Caller
    let service: HubService
    let request: HubRequest

    var registry: Registry { service.hub.registry }

    /// - Throws: `Refusal.revisionNotFound`.
    func commit(named revision: String) throws -> CommitRecord {
        guard let name = RevisionName(revision), let commit = try repository.commit(name) else {
            throw Refusal.revisionNotFound(revision)
        }
        // Refs lead nowhere that is forgotten; ids may.
        if isHex(revision), try registry.isForgotten(commit.oid, of: repo) {
            throw Refusal.revisionNotFound(revision)
        }
        return commit
    }

    /// The id with its type as web URLs have it: `datasets/org/name`.
    var webID: String { repo.kind.webPrefix + repo.name.description }

    func blocking<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await service.blocking.run(body)
    }
}
