import Foundation
import HTTPTypes
import NIOCore
import XetCodec

/// The CAS: what files are made of, to whoever has a token for their repo.
extension HubService {
    func cas(_ action: CASAction, _ request: HubRequest) async throws -> Answer {
        let xet = try requireXet()
        switch (action, request.method) {
        case (.reconstruction(let hash, let version), .get):
            let target = try await target(xet, request)
            return try await target.reconstruction(hash, version: version)
        case (.file(let hash), .head): return try await target(xet, request).fileHead(hash)
        case (.xorb(let hash), .head): return try await target(xet, request).xorbHead(hash)
        case (.chunk(let hash), .get): return try await target(xet, request).chunk(hash)
        case (.xorb(let hash), .post):
            return try await target(xet, request, .write).uploadXorb(hash)
        case (.grant(let hash), .post):
            return try await target(xet, request, .write).grant(hash)
        case (.commit(let hash, let grant), .post):
            return try await target(xet, request, .write).commit(hash, grant: grant)
        case (.shard(let version), .post):
            return try await target(xet, request, .write).uploadShard(version: version)
        default: throw Refusal.unknownPath
        }
    }

    /// - Throws: `Refusal.badXetToken`, or `.forbidden` if the token is not for writing and the
    ///   request is.
    private func target(
        _ xet: XetService, _ request: HubRequest, _ scope: XetToken.Scope = .read
    ) async throws -> CASTarget {
        let words = (request.headers[.authorization] ?? "").split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "bearer",
            let token = xet.tokens.open(String(words[1]), now: Date()),
            let repo = try await blocking.run({ try hub.registry.repo(id: token.repo) })
        else { throw Refusal.badXetToken }
        guard scope == .read || token.scope == .write else {
            throw Refusal.forbidden("Forbidden: the token is not for writing.")
        }
        return CASTarget(repo: repo, service: self, request: request)
    }
}

/// A repo as the bearer of a token sees it, and a request about its contents.
struct CASTarget: Sendable {
    let repo: RepoRecord
    let service: HubService
    let request: HubRequest

    var store: XetStore { service.hub.xet }
    var registry: Registry { service.hub.registry }

    func blocking<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await service.blocking.run(body)
    }

    // MARK: Files

    /// - Throws: `Refusal.entryNotFound` unless the repo has the file: other repos' files are
    ///   not this token's to see.
    private func file(_ hash: XetHash) throws -> XetFile {
        if hash == .zero { return .empty }
        guard try registry.hasXetFile(hash, in: repo), let file = try store.file(hash) else {
            throw Refusal.entryNotFound(commit: nil)
        }
        return file
    }

    func fileHead(_ hash: XetHash) async throws -> Answer {
        let size = try await blocking { try file(hash).size }
        return Answer(.ok, body: .pieces(count: size, Unsent()))
    }

    func xorbHead(_ hash: XetHash) async throws -> Answer {
        let size = try await blocking { try store.index(of: hash)?.packedByteCount }
        guard let size else { throw Refusal.entryNotFound(commit: nil) }
        return Answer(.ok, body: .pieces(count: size, Unsent()))
    }

    /// Bytes of a range whose chunks are told of one by one.
    private static let toldByteCountMax = 1 << 30

    func reconstruction(_ hash: XetHash, version: Int) async throws -> Answer {
        let wantsChunks = request.flag("chunk_byte_sizes")
        return try await blocking {
            let file = try file(hash)
            let range = try range(in: file)
            let plan = try Reconstruction(of: file, range) { try store.index(of: $0) }
            return try .json(
                ReconstructionBody(
                    plan, version: version,
                    tellsChunks: wantsChunks && range.count <= Self.toldByteCountMax
                ) { service.xorbURL($0, $1) },
                headers: [.cacheControl: "no-store"])
        }
    }

    /// The range that is asked for, which may reach behind the end of the file.
    private func range(in file: XetFile) throws -> Range<Int> {
        guard let header = request.headers[.range] else { return 0..<file.size }
        guard let ranges = ByteRange.list(header), ranges.count == 1 else {
            throw Refusal.badRequest("Invalid Range: \(header)")
        }
        guard ranges[0].first < file.size else {
            throw Refusal.rangeNotSatisfiable(size: file.size)
        }
        return ranges[0].first..<min(ranges[0].last, file.size - 1) + 1
    }
}

/// The body of an answer to HEAD, of which only the length is sent.
private struct Unsent: BodyPieces {
    func next(max: Int) async throws -> ByteBuffer {
        preconditionFailure("HEAD has no body")
    }
}
