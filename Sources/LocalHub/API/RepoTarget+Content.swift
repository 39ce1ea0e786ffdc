import Foundation
import HTTPTypes
import NIOCore

/// resolve, raw: the contents of files.
extension RepoTarget {
    func resolve(_ revision: String, _ path: String) async throws -> Answer {
        let (commit, item) = try await blocking { try file(revision, path) }
        var headers = Self.contentHeaders(path: path)
        headers[.repoCommit] = commit.oid
        headers[.acceptRanges] = "bytes"
        headers[.vary] = "Origin, Accept"
        headers[.linkedSize] = String(item.contentSize)
        let etag = "\"\(item.pointer?.oid ?? item.entry.oid)\""
        headers[.linkedETag] = etag
        if ContentAnswer.isKnown(etag, to: request) {
            headers[.eTag] = etag
            return Answer(.notModified, headers: headers)
        }
        if let pointer = item.pointer {
            headers[.cacheControl] = "no-store"
            if let file = try await xetFile(pointer, at: commit) {
                file.describe(in: &headers)
                if file.isAsked(by: request) { return try file.answer(headers) }
            }
            headers[.location] = cdnURL(pointer, path: path)
            return .text(.found, "Found. Redirecting to the CDN", headers: headers)
        }
        let place = URLText.encode(path, keepingSlashes: true)
        let cachePath = "/api/resolve-cache/\(repo.kind.plural)/\(repo.name)/\(commit.oid)/\(place)"
        let query = URLText.encode(request.path) + "=&etag=" + URLText.encode(etag)
        let location = cachePath + "?" + query
        headers[.location] = location
        return .text(
            .temporaryRedirect, "Temporary Redirect. Redirecting to \(location)", headers: headers)
    }

    /// The git blob itself: of an LFS file, its pointer.
    func raw(_ revision: String, _ path: String) async throws -> Answer {
        let (commit, item) = try await blocking { try file(revision, path) }
        return try await blob(item, path: path, commit: commit, isImmutable: false)
    }

    /// A small file at a commit, as `resolve` redirects to it.
    func resolveCache(commit oid: String, path: String) async throws -> Answer {
        let (commit, item) = try await blocking { try file(oid, path) }
        if let pointer = item.pointer {
            var headers: HTTPFields = [.repoCommit: commit.oid]
            headers[.location] = cdnURL(pointer, path: path)
            return .text(.found, "Found. Redirecting to the CDN", headers: headers)
        }
        return try await blob(item, path: path, commit: commit, isImmutable: true)
    }

    /// - Throws: `Refusal.entryNotFound` if there is no file at the path.
    private func file(
        _ revision: String, _ path: String
    ) throws -> (commit: CommitRecord, item: TreeItem) {
        try caller.requireContent(of: repo, registry: registry)
        let commit = try commit(named: revision)
        guard let entry = try repository.entry(path, at: commit), !entry.kind.isDirectory,
            entry.kind != .submodule,
            let item = try repository.describe([PathEntry(path: path, entry: entry)]).first
        else { throw Refusal.entryNotFound(commit: commit.oid) }
        return (commit, item)
    }

    private func blob(
        _ item: TreeItem, path: String, commit: CommitRecord, isImmutable: Bool
    ) async throws -> Answer {
        var headers = Self.contentHeaders(path: path)
        headers[.repoCommit] = commit.oid
        headers[.contentType] = "text/plain; charset=utf-8"
        headers[.cacheControl] = isImmutable ? "public, max-age=31536000, immutable" : "no-cache"
        let content = ContentAnswer(
            size: item.size, etag: "\"\(item.entry.oid)\"", headers: headers
        ) { offset, count in
            // Blobs kept in memory whole have a limit; larger ones are streamed out of git.
            if item.size > UploadMode.regularSizeMax {
                let stream = BlobBody(
                    repository, oid: item.entry.oid, skip: offset, blocking: service.blocking)
                return .pieces(count: count, stream)
            }
            let bytes = try await blocking { try repository.contents(item.entry.oid) }
            return .bytes(ByteBuffer(bytes: bytes[offset..<(offset + count)]))
        }
        return try await content.answer(request)
    }

    /// A URL of the CDN for a file of this repo, signed and good for a while.
    func cdnURL(_ pointer: LFSPointer, path: String) -> String {
        let place = "/\(repo.kind.plural)/\(repo.name)/\(pointer.oid)"
        let expires = Int(Date().timeIntervalSince1970) + service.urlLifetimeSeconds
        let query = service.signer.sign(place, for: .download, expires: expires)
        let name = path.fileName
        return downloadOrigin(of: pointer.oid) + place + "?" + query + "&filename="
            + URLText.encode(name)
    }

    /// Who hands out an object: another server, if there is one, has only what is a file on disk.
    func downloadOrigin(of oid: String) -> String {
        let origin = service.downloadEndpoint
        guard origin != service.cdnEndpoint else { return origin }
        return service.hub.lfs(repo).size(oid) == nil ? service.cdnEndpoint : origin
    }

    static func contentHeaders(path: String) -> HTTPFields {
        let name = path.fileName
        let encoded = URLText.encode(name)
        let plain = String(
            decoding: name.utf8.map { byte in
                (0x20..<0x7f).contains(byte) && byte != 0x22 && byte != 0x5c ? byte : 0x3f
            }, as: UTF8.self)
        return [
            .contentDisposition:
                "inline; filename*=UTF-8''\(encoded); filename=\"\(plain)\";",
            .contentSecurityPolicy: "default-src 'none'; sandbox",
            .exposeHeaders:
                "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,"
                + "Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash",
        ]
    }
}

extension HubService {
    func resolveCache(
        _ kind: RepoKind, namespace: String, name: String, commit: String, path: String,
        _ request: HubRequest
    ) async throws -> Answer {
        guard request.method == .get || request.method == .head else { throw Refusal.unknownPath }
        let target = try await blocking.run {
            let caller = try Caller(request.headers, registry: hub.registry)
            guard isHex(commit, count: 40),
                let name = RepoName(namespace: namespace, name: name),
                let repo = try hub.registry.repo(kind, name), repo.name == name
            else { throw Refusal.repoNotFound(isAnonymous: caller.isAnonymous) }
            return RepoTarget(
                repo: repo, repository: hub.repository(repo), caller: caller, service: self,
                request: request)
        }
        return try await target.resolveCache(commit: commit, path: path)
    }
}
