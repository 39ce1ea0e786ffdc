import Foundation
import HTTPTypes
import XetCodec

/// A bucket somebody may know of, and the request about it; the handlers are its methods.
struct BucketTarget: Sendable {
    let bucket: BucketRecord
    let caller: Caller
    let service: HubService
    let request: HubRequest

    var registry: Registry { service.hub.registry }

    func blocking<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await service.blocking.run(body)
    }

    // MARK: The bucket itself

    func info() async throws -> Answer {
        try await blocking { try .json(BucketBody(bucket, registry.contents(of: bucket))) }
    }

    func delete() async throws -> Answer {
        try await blocking {
            try caller.requireWrite(to: bucket)
            try registry.delete(bucket)
        }
        service.xet?.feeds?.wake(bucket.id)
        return .text(.ok, "OK")
    }

    private struct SettingsBody: Codable {
        let `private`: Bool
    }

    func changeSettings() async throws -> Answer {
        let body = try await request.json(SettingsBody.self)
        try await blocking {
            try caller.requireWrite(to: bucket)
            try registry.update(bucket, isPrivate: body.private)
        }
        service.xet?.feeds?.wake(bucket.id)
        return try .json(body)
    }

    func token(_ scope: XetToken.Scope) async throws -> Answer {
        let xet = try service.requireXet()
        if scope == .write { try await blocking { try caller.requireWrite(to: bucket) } }
        return try service.tokenAnswer(xet, for: .bucket(bucket), scope)
    }

    // MARK: Contents

    func resolve(_ path: String) async throws -> Answer {
        let file = try await blocking { try registry.file(path, in: bucket) }
        guard let file else { throw Refusal.entryNotFound(commit: nil) }
        var headers = RepoTarget.contentHeaders(path: path)
        headers[.acceptRanges] = "bytes"
        headers[.cacheControl] = "no-store"
        headers[.linkedSize] = String(file.size)
        headers[.linkedETag] = "\"\(file.hash)\""
        let head = XetFileHead(
            hash: file.hash.text, size: file.size,
            refreshUrl: "\(service.endpoint)/api/buckets/\(bucket.name)/xet-read-token",
            reconstructionUrl: "\(service.casURL)/v1/reconstructions/\(file.hash)")
        head.describe(in: &headers)
        if head.isAsked(by: request) { return try head.answer(headers) }
        headers[.location] = cdnURL(file)
        return .text(.found, "Found. Redirecting to the CDN", headers: headers)
    }

    /// A URL of the CDN, which gives the file's bytes put together.
    private func cdnURL(_ file: BucketFile) -> String {
        let place = "/buckets/\(bucket.name)/\(file.hash)"
        let expires = Int(Date().timeIntervalSince1970) + service.urlLifetimeSeconds
        let query = service.signer.sign(place, for: .download, expires: expires)
        let name = URLText.encode(file.path.fileName)
        return "\(service.cdnEndpoint)\(place)?\(query)&filename=\(name)"
    }
}
