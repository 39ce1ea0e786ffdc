import Crypto
import Foundation

/// Whose files the CAS is asked for.
enum XetOwner: Sendable {
    case repo(RepoRecord)
    case bucket(BucketRecord)

    /// What stays the same when it is renamed.
    var name: XetToken.Owner {
        switch self {
        case .repo(let repo): .repo(repo.id)
        case .bucket(let bucket): .bucket(bucket.id)
        }
    }
}

/// What lets its bearer talk to the CAS about one repo or bucket.
struct XetToken: Codable, Equatable, Sendable {
    enum Scope: String, Codable, Sendable {
        case read
        case write
    }

    /// By the id.
    enum Owner: Codable, Equatable, Sendable {
        case repo(String)
        case bucket(String)
    }

    let owner: Owner
    let scope: Scope
    /// Seconds since 1970.
    let expires: Int
}

/// Makes such tokens and knows its own again; nothing is stored.
struct XetTokenSigner: Sendable {
    private static let prefix = "xet_"
    private let key: SymmetricKey

    /// - Parameter key: the Hub's key for URLs. What is signed differs, so neither passes for the other.
    init(key: String) {
        self.key = SymmetricKey(data: Data(key.utf8))
    }

    func seal(_ token: XetToken) throws -> String {
        let body = hex(try JSONText.encode(token))
        return "\(Self.prefix)\(body).\(hex(code(body)))"
    }

    /// - Returns: nil for what this Hub did not make, or whose time is over.
    func open(_ text: String, now: Date) -> XetToken? {
        let parts = text.dropFirst(Self.prefix.count).split(separator: ".")
        guard text.hasPrefix(Self.prefix), parts.count == 2,
            parts[1] == hex(code(String(parts[0]))), let body = bytes(ofHex: parts[0]),
            let token = try? JSONDecoder().decode(XetToken.self, from: Data(body))
        else { return nil }
        return Int(now.timeIntervalSince1970) < token.expires ? token : nil
    }

    private func code(_ body: String) -> HashedAuthenticationCode<SHA256> {
        HMAC<SHA256>.authenticationCode(for: Data("xet-token\n\(body)".utf8), using: key)
    }
}
