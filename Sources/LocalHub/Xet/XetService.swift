import Foundation
import HTTPTypes
import XetCodec

/// What is particular about a Hub that offers files by Xet.
package struct XetOptions: Sendable {
    /// How long a token of the CAS lives.
    package var tokenLifetimeSeconds: Int
    /// Whether buckets can be followed.
    package var hasBucketEvents = true
    /// Changes of each bucket that are kept for those who follow it.
    package var bucketChangesKept = 10_000

    package init(tokenLifetimeSeconds: Int = 900) {
        self.tokenLifetimeSeconds = tokenLifetimeSeconds
    }
}

/// What the handlers of the CAS work with.
struct XetService: Sendable {
    let conversions: XetConversions
    let tokens: XetTokenSigner
    let options: XetOptions
    /// Those who follow buckets; nil if nobody may.
    let feeds: BucketFeeds?

    /// - Parameter key: the Hub's key for URLs.
    init(hub: Hub, key: String, options: XetOptions) {
        conversions = XetConversions(hub: hub)
        tokens = XetTokenSigner(key: key)
        self.options = options
        feeds = options.hasBucketEvents ? BucketFeeds() : nil
    }

    /// - Returns: a fresh token, and when its time is over, in seconds since 1970.
    func token(
        for owner: XetOwner, _ scope: XetToken.Scope
    ) throws -> (text: String, expires: Int) {
        let expires = Int(Date().timeIntervalSince1970) + options.tokenLifetimeSeconds
        let token = XetToken(owner: owner.name, scope: scope, expires: expires)
        return (try tokens.seal(token), expires)
    }
}

extension HubService {
    /// Where the CAS is.
    var casURL: String { endpoint + "/cas" }

    /// - Throws: `Refusal.unknownPath` if this Hub knows nothing of Xet.
    func requireXet() throws -> XetService {
        guard let xet else { throw Refusal.unknownPath }
        return xet
    }

    private struct TokenBody: Encodable {
        let casUrl: String
        let accessToken: String
        let exp: Int
    }

    /// A token for the CAS, in the body and, for clients that read those, in headers.
    func tokenAnswer(
        _ xet: XetService, for owner: XetOwner, _ scope: XetToken.Scope
    ) throws -> Answer {
        let (token, expires) = try xet.token(for: owner, scope)
        return try .json(
            TokenBody(casUrl: casURL, accessToken: token, exp: expires),
            headers: [
                .xetCASURL: casURL, .xetAccessToken: token,
                .xetTokenExpiration: String(expires), .cacheControl: "no-store",
            ])
    }
}

// MARK: What repos tell of it

extension RepoTarget {
    func xetToken(_ scope: XetToken.Scope, _ revision: String) async throws -> Answer {
        let xet = try service.requireXet()
        try await blocking {
            switch scope {
            case .read:
                try caller.requireContent(of: repo, registry: registry)
                _ = try commit(named: revision)
            case .write:
                try requireCommit(to: revision, opensPullRequest: opensPullRequest)
                // What is to open a pull request may say no revision.
                if !opensPullRequest { _ = try commit(named: revision) }
            }
        }
        return try service.tokenAnswer(xet, for: .repo(repo), scope)
    }

    /// The hashes that are known of some LFS files; none if this Hub knows nothing of Xet.
    func xetHashes(of pointers: [LFSPointer]) throws -> [String: XetHash] {
        guard service.xet != nil else { return [:] }
        return try registry.xetHashes(of: pointers.map(\.oid), in: repo)
    }

    /// What is told of an LFS file besides where its bytes are; made now if need be. Nil if there
    /// is nothing to tell: without Xet, without the object, and of empty files.
    func xetFile(_ pointer: LFSPointer, at commit: CommitRecord) async throws -> XetFileHead? {
        guard let xet = service.xet, pointer.size > 0 else { return nil }
        let (known, isStored) = try await blocking {
            let known = try registry.xetHashes(of: [pointer.oid], in: repo)[pointer.oid]
            let isStored = known != nil || service.hub.lfs(repo).size(pointer.oid) != nil
            return (known, isStored)
        }
        guard isStored else { return nil }
        let hash: XetHash
        if let known {
            hash = known
        } else {
            hash = try await xet.conversions.hash(of: pointer.oid, in: repo)
        }
        let api = "\(service.endpoint)/api/\(repo.kind.plural)/\(repo.name)"
        return XetFileHead(
            hash: hash.text, size: pointer.size,
            refreshUrl: "\(api)/xet-read-token/\(commit.oid)",
            reconstructionUrl: "\(service.casURL)/v1/reconstructions/\(hash)")
    }
}

/// What leads from a file of a repo to the CAS.
struct XetFileHead: Encodable {
    let hash: String
    let size: Int
    let refreshUrl: String
    let reconstructionUrl: String

    private static let mediaType = "application/vnd.xet-fileinfo+json"

    func describe(in headers: inout HTTPFields) {
        headers[.xetHash] = hash
        headers[.link] =
            "<\(refreshUrl)>; rel=\"xet-auth\", "
            + "<\(reconstructionUrl)>; rel=\"xet-reconstruction-info\""
    }

    /// Whether a client wants to be told of the file in place of a way to its bytes.
    func isAsked(by request: HubRequest) -> Bool {
        request.headers[.accept]?.split(separator: ",").contains { type in
            type.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces) == Self.mediaType
        } ?? false
    }

    func answer(_ headers: HTTPFields) throws -> Answer {
        var answer = try Answer.json(self, headers: headers)
        answer.headers[.contentType] = Self.mediaType
        return answer
    }
}
