import Foundation
import HTTPTypes
import NIOCore
import Synchronization

/// The CDN listener: large contents by signed URL, to whoever has the URL.
extension HubService {
    func cdn(_ request: HubRequest) async throws -> Answer {
        let parts = request.path.split(separator: "/").map(String.init)
        switch (request.method, parts.first) {
        case (.get, "xorbs"), (.head, "xorbs"):
            guard parts.count == 3, parts[1] == CASAction.prefix else { throw Refusal.unknownPath }
            return try await xorb(parts[2], request)
        case (.put, "xorbs"):
            guard parts.count == 3, parts[1] == CASAction.prefix else { throw Refusal.unknownPath }
            return try await receiveXorb(parts[2], request)
        case (.get, _), (.head, _):
            guard parts.count == 4 else { throw Refusal.unknownPath }
            return try await download(parts[3], of: parts[0...2], request)
        case (.put, "upload"):
            guard parts.count == 6, let size = Int(parts[5]) else { throw Refusal.unknownPath }
            let store = try await blocking.run { try self.store(parts[1...3]) }
            return try await upload(parts[4], size: size, store, request)
        case (.put, "multipart"):
            guard parts.count == 3, let number = Int(parts[2]) else { throw Refusal.unknownPath }
            return try await uploadPart(number, of: parts[1], request)
        default:
            throw Refusal.unknownPath
        }
    }

    /// The objects of the repo `models/org/name`, also if it has been renamed since.
    private func store(_ parts: ArraySlice<String>) throws -> LFSStore {
        let parts = Array(parts)
        guard let kind = RepoKind(plural: parts[0]),
            let name = RepoName(namespace: parts[1], name: parts[2])
        else { throw Refusal.unknownPath }
        let here = LFSStore(
            repository: hub.folder.repository(kind, name), incoming: hub.folder.incoming)
        guard !here.exists, let repo = try find(kind, [name.namespace, name.name]) else {
            return here
        }
        return hub.lfs(repo)
    }

    /// - Throws: `Refusal.urlExpired` and `.forbidden`, as an object store says them.
    ///
    /// - Parameter path: what was signed; the request's own path unless it is given.
    func requireSignature(
        _ purpose: URLSigner.Purpose, _ request: HubRequest, path: String? = nil
    ) throws {
        let path = path ?? request.path
        switch signer.check(path, for: purpose, query: request.query, now: Date()) {
        case .valid: return
        case .expired: throw Refusal.urlExpired
        case .forged: throw Refusal.forbidden("Access denied")
        }
    }

    /// An object: from its file, or put together from xorbs.
    private enum Source {
        case disk(path: String)
        case xet(XetFile)
    }

    private func source(
        _ oid: String, of parts: ArraySlice<String>
    ) throws -> (source: Source, size: Int)? {
        let store = try store(parts)
        if let size = store.size(oid) { return (.disk(path: store.path(oid)), size) }
        let parts = Array(parts)
        guard let kind = RepoKind(plural: parts[0]),
            let repo = try find(kind, [parts[1], parts[2]]),
            let file = try hub.objects(repo).xetFile(oid)
        else { return nil }
        return (.xet(file), file.size)
    }

    private func download(
        _ oid: String, of parts: ArraySlice<String>, _ request: HubRequest
    ) async throws -> Answer {
        try requireSignature(.download, request)
        let found = try await blocking.run { try source(oid, of: parts) }
        guard let (source, size) = found else { throw Refusal.entryNotFound(commit: nil) }
        var headers = RepoTarget.contentHeaders(path: request.parameter("filename") ?? oid)
        headers[.contentType] = "application/octet-stream"
        headers[.cacheControl] = "public, max-age=31536000"
        // A tag of the CDN's own: nobody may take it for the content's SHA-256.
        let content = ContentAnswer(
            size: size, etag: "\"\(oid.prefix(32))\"", headers: headers
        ) { offset, count in
            let body: any BodyPieces = try await blocking.run {
                try self.body(source, offset, count)
            }
            return .pieces(count: count, body)
        }
        return try await content.answer(request)
    }

    private func body(
        _ source: Source, _ offset: Int, _ count: Int
    ) throws -> any BodyPieces {
        switch source {
        case .disk(let path):
            return try FileBody(path: path, offset: offset, blocking: blocking)
        case .xet(let file):
            return XetBody(
                try XetContents(of: file, offset..<offset + count, in: hub.xet), blocking: blocking)
        }
    }

    // MARK: Uploads

    /// Takes an object: streamed to a file of its own, hashed on the way, named once it is whole
    /// and right.
    private func upload(
        _ oid: String, size: Int, _ store: LFSStore, _ request: HubRequest
    ) async throws -> Answer {
        try requireSignature(.upload, request)
        guard let length = request.contentLength else { throw Refusal.lengthRequired }
        guard length == size else {
            throw Refusal.badRequest("The object has \(size) bytes")
        }
        let intake = try await blocking.run { LFSUpload(intake: try store.receive()) }
        try await request.forEachLot { lot in
            try await blocking.run { try intake.append(lot) }
        }
        try await blocking.run {
            try intake.keep(in: store, oid: oid, size: size)
        }
        return Answer(.ok, headers: [.eTag: "\"\(oid.prefix(32))\""])
    }
}

/// An upload's file between its pieces. The mutex orders what follows one another anyway.
private final class LFSUpload: Sendable {
    private let intake: Mutex<LFSIntake>

    init(intake: sending LFSIntake) {
        self.intake = Mutex(intake)
    }

    func append(_ lot: [ByteBuffer]) throws {
        try intake.withLock { intake in
            for piece in lot { try piece.withUnsafeReadableBytes { try intake.append($0) } }
        }
    }

    /// - Throws: `Refusal.badRequest` if it is not the object it should be.
    func keep(in store: LFSStore, oid: String, size: Int) throws {
        try intake.withLock { intake in
            guard intake.size == size, intake.oid == oid else {
                throw Refusal.badRequest("The bytes are not those of the object")
            }
            try store.keep(intake, oid: oid)
        }
    }
}
