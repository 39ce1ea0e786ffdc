import Foundation
import HTTPTypes

/// Who asks, by the Authorization header.
enum Caller: Sendable {
    case anonymous
    case token(TokenRecord)

    /// Reads `Bearer hf_…`, and `Basic` as git-lfs sends it (the token is the password).
    ///
    /// - Throws: `Refusal.badCredentials` for a token nobody made.
    init(_ headers: HTTPFields, registry: Registry) throws {
        guard let header = headers[.authorization] else {
            self = .anonymous
            return
        }
        guard let secret = Self.secret(header), let token = try registry.token(secret) else {
            throw Refusal.badCredentials
        }
        self = .token(token)
    }

    private static func secret(_ header: String) -> String? {
        let words = header.split(separator: " ", maxSplits: 1)
        guard words.count == 2 else { return nil }
        switch words[0].lowercased() {
        case "bearer":
            return String(words[1])
        case "basic":
            guard let data = Data(base64Encoded: String(words[1])) else { return nil }
            let pair = String(decoding: data, as: UTF8.self)
            return pair.split(separator: ":", maxSplits: 1).last.map(String.init)
        default:
            return nil
        }
    }

    var isAnonymous: Bool {
        switch self {
        case .anonymous: true
        case .token: false
        }
    }

    func isMember(of namespace: String) -> Bool {
        switch self {
        case .anonymous: false
        case .token(let token): token.isMember(of: namespace)
        }
    }

    // MARK: Rights

    /// - Throws: the Hub's refusal if the caller may not know of the repo.
    func requireSight(of repo: RepoRecord) throws {
        if repo.isPrivate, !isMember(of: repo.name.namespace) {
            throw Refusal.repoNotFound(isAnonymous: isAnonymous)
        }
    }

    /// - Throws: the Hub's refusal if the caller may not read what is in the repo.
    func requireContent(of repo: RepoRecord, registry: Registry) throws {
        try requireSight(of: repo)
        if repo.isDisabled { throw Refusal.disabled }
        guard repo.gate != nil, !isMember(of: repo.name.namespace) else { return }
        let id = "\(repo.kind.rawValue) \(repo.name)"
        guard case .token(let token) = self else {
            throw Refusal.gated(repo: id, isAnonymous: true)
        }
        guard try registry.hasAccess(to: repo, user: token.user) else {
            throw Refusal.gated(repo: id, isAnonymous: false)
        }
    }

    /// - Throws: the Hub's refusal if the caller may not change the repo.
    func requireWrite(to repo: RepoRecord) throws {
        try requireSight(of: repo)
        if isAnonymous { throw Refusal.repoNotFound(isAnonymous: true) }
        try requireWrite(in: repo.name.namespace)
        if repo.isDisabled { throw Refusal.disabled }
    }

    /// - Returns: who speaks: anybody with a token to write who may read what is in the repo.
    @discardableResult
    func requireVoice(in repo: RepoRecord, registry: Registry) throws -> TokenRecord {
        try requireSight(of: repo)
        guard case .token(let token) = self else {
            throw Refusal.repoNotFound(isAnonymous: true)
        }
        guard token.role == .write else {
            throw Refusal.forbidden(
                "Forbidden: you must use a write token to take part in discussions.")
        }
        try requireContent(of: repo, registry: registry)
        return token
    }

    /// - Returns: who writes.
    @discardableResult
    func requireWrite(in namespace: String) throws -> TokenRecord {
        guard case .token(let token) = self else { throw Refusal.loginNeeded }
        guard token.role == .write else {
            throw Refusal.forbidden(
                "Forbidden: you must use a write token to write to a repository.")
        }
        guard token.isMember(of: namespace) else {
            throw Refusal.forbidden(
                "Forbidden: you don't have the rights to write to the namespace \(namespace).")
        }
        return token
    }

    /// Whom commits name.
    var author: String {
        switch self {
        case .anonymous: "anonymous"
        case .token(let token): token.user
        }
    }
}
