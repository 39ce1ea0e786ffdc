import Foundation
import HTTPTypes
import NIOCore

/// The CDN listener: large contents by signed URL, to whoever has the URL.
extension HubService {
    func cdn(_ request: HubRequest) async throws -> Answer {
        let parts = request.path.split(separator: "/").map(String.init)
        guard parts.count == 4, let kind = RepoKind(plural: parts[0]),
            let name = RepoName(namespace: parts[1], name: parts[2]), isHex(parts[3], count: 64)
        else { throw Refusal.unknownPath }
        let store = LFSStore(
            repository: hub.folder.repository(kind, name), incoming: hub.folder.incoming)
        switch request.method {
        case .get, .head:
            return try await download(parts[3], store, request)
        default:
            throw Refusal.unknownPath
        }
    }

    /// - Throws: `Refusal.urlExpired` and `.forbidden`, as an object store says them.
    private func requireSignature(_ purpose: URLSigner.Purpose, _ request: HubRequest) throws {
        switch signer.check(request.path, for: purpose, query: request.query, now: Date()) {
        case .valid: return
        case .expired: throw Refusal.urlExpired
        case .forged: throw Refusal.forbidden("Access denied")
        }
    }

    private func download(
        _ oid: String, _ store: LFSStore, _ request: HubRequest
    ) async throws -> Answer {
        try requireSignature(.download, request)
        let size = try await blocking.run { store.size(oid) }
        guard let size else { throw Refusal.entryNotFound(commit: nil) }
        var headers = RepoTarget.contentHeaders(path: request.parameter("filename") ?? oid)
        headers[.contentType] = "application/octet-stream"
        headers[.cacheControl] = "public, max-age=31536000"
        // A tag of the CDN's own: nobody may take it for the content's SHA-256.
        let content = ContentAnswer(
            size: size, etag: "\"\(oid.prefix(32))\"", headers: headers
        ) { offset, count in
            let body = try await blocking.run {
                try FileBody(path: store.path(oid), offset: offset, blocking: blocking)
            }
            return .pieces(count: count, body)
        }
        return try await content.answer(request)
    }
}
