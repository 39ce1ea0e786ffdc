import Foundation
import HTTPTypes

/// lfs-files: the LFS objects a repo keeps, in whatever commit or in none.
extension RepoTarget {
    private struct LFSFileBody: Encodable {
        /// What deletions name it by; the same as `oid`.
        let fileOid: String
        /// A path some commit has it at, empty if there is none.
        let filename: String
        let oid: String
        let size: Int
        let pushedAt: String
    }

    func lfsFiles() async throws -> Answer {
        let limitMax = min(service.pageSizeMax, 1000)
        let asked = request.parameter("limit").map { Int($0) ?? 0 } ?? limitMax
        guard asked > 0 else { throw Refusal.badRequest("Invalid limit") }
        let limit = min(asked, limitMax)
        let cursor = request.parameter("cursor") ?? ""
        let (page, hasMore) = try await blocking {
            try caller.requireWrite(to: repo)
            let rest = try service.hub.objects(repo).all().filter { $0.oid > cursor }
            let names = try Dictionary(
                repository.pointers().map { ($0.pointer.oid, $0.path) },
                uniquingKeysWith: { min($0, $1) })
            let page = rest.prefix(limit).map { object in
                LFSFileBody(
                    fileOid: object.oid, filename: names[object.oid] ?? "", oid: object.oid,
                    size: object.size, pushedAt: JSONText.date(object.stored))
            }
            return (page, rest.count > limit)
        }
        var headers: HTTPFields = [:]
        if hasMore, let last = page.last {
            let url = request.url(service.endpoint, replacing: "cursor", with: last.oid)
            headers[.link] = "<\(url)>; rel=\"next\""
        }
        return try .json(page, headers: headers)
    }

    // MARK: Deleting

    private struct DeletionBody: Decodable {
        struct Deletions: Decodable {
            let sha: [String]
            let rewriteHistory: Bool?
        }

        let deletions: Deletions
    }

    private static let deletionsMax = 1000

    func deleteLFSFiles() async throws -> Answer {
        let body = try await request.json(DeletionBody.self)
        guard body.deletions.sha.count <= Self.deletionsMax else {
            throw Refusal.unprocessable("At most \(Self.deletionsMax) objects")
        }
        return try await deleteLFSFiles(
            Set(body.deletions.sha), rewritesHistory: body.deletions.rewriteHistory ?? false)
    }

    func deleteLFSFile(_ oid: String) async throws -> Answer {
        try await deleteLFSFiles([oid], rewritesHistory: request.flag("rewriteHistory"))
    }

    /// History first: an object without pointers does no harm, pointers without it do.
    private func deleteLFSFiles(
        _ oids: Set<String>, rewritesHistory: Bool
    ) async throws -> Answer {
        try await blocking {
            try caller.requireWrite(to: repo)
            let objects = service.hub.objects(repo)
            guard try oids.allSatisfy({ try objects.size($0) != nil }) else {
                throw Refusal.entryNotFound(commit: nil)
            }
            guard let lock = RepositoryLock.acquire(repository.path) else {
                throw Refusal.repositoryIsBusy
            }
            defer { withExtendedLifetime(lock) {} }
            if rewritesHistory {
                let blobs = try repository.pointers().filter { oids.contains($0.pointer.oid) }
                let rewrite = HistoryRewrite(
                    repository: repository, incoming: service.hub.folder.incoming)
                let old = try rewrite.remove(Set(blobs.map(\.blob)))
                try forget(what: old)
            }
            for oid in oids { try objects.remove(oid) }
        }
        return .text(.ok, "OK")
    }

    // MARK: Copying to another repo

    private struct DuplicateBody: Decodable {
        struct Target: Decodable {
            let type: RepoKind?
            let name: String
        }

        struct File: Decodable {
            let sha256: String
        }

        let target: Target
        let files: [File]
    }

    private struct DuplicatedBody: Encodable {
        struct Failure: Encodable {
            let sha256: String
            let error: String
        }

        let failed: [Failure]
    }

    /// Gives another repo objects this one has, without their bytes going over the wire.
    func duplicateLFSFiles() async throws -> Answer {
        let body = try await request.json(DuplicateBody.self)
        let failed = try await blocking {
            try caller.requireContent(of: repo, registry: registry)
            guard let name = RepoName(body.target.name),
                let target = try registry.repo(body.target.type ?? .model, name)
            else { throw Refusal.repoNotFound(isAnonymous: caller.isAnonymous) }
            try caller.requireWrite(to: target)
            let (from, to) = (service.hub.objects(repo), service.hub.objects(target))
            return try body.files.compactMap { file -> DuplicatedBody.Failure? in
                try from.share(file.sha256, with: to)
                    ? nil : .init(sha256: file.sha256, error: "Object does not exist")
            }
        }
        return try .json(DuplicatedBody(failed: failed))
    }
}
