package import Foundation
import GRDB

/// A repo's row: who it is and who may see it. What it holds is in its git repository.
package struct RepoRecord: Sendable {
    package let id: String
    package let kind: RepoKind
    package let name: RepoName
    package let isPrivate: Bool
    package let gate: Gate?
    package let isDisabled: Bool
    package let sdk: String?
    package let created: Date

    init?(row: Row) {
        guard let kind = RepoKind(rawValue: row["kind"]),
            let name = RepoName(namespace: row["namespace"], name: row["name"])
        else { return nil }
        self.id = row["id"]
        self.kind = kind
        self.name = name
        self.isPrivate = row["private"]
        self.gate = (row["gated"] as String?).flatMap(Gate.init(rawValue:))
        self.isDisabled = row["disabled"]
        self.sdk = row["sdk"]
        self.created = Date(timeIntervalSince1970: row["created"])
    }
}

/// How access to a gated repo's content is granted.
package enum Gate: String, Codable, Sendable, CaseIterable {
    case auto
    case manual
}

/// What a token may do.
package enum TokenRole: String, Codable, Sendable, CaseIterable {
    case read
    case write
}

/// A token's row, without the token.
package struct TokenRecord: Sendable {
    package let name: String
    package let user: String
    package let role: TokenRole
    /// The namespaces the token has rights in besides `user`; nil is every one.
    package let namespaces: [String]?
    package let created: Date

    init?(row: Row) {
        guard let role = TokenRole(rawValue: row["role"]) else { return nil }
        self.name = row["name"]
        self.user = row["user"]
        self.role = role
        self.namespaces = (row["namespaces"] as String?).map {
            $0.split(separator: ",").map(String.init)
        }
        self.created = Date(timeIntervalSince1970: row["created"])
    }

    /// Whether the token's user belongs to the namespace.
    package func isMember(of namespace: String) -> Bool {
        guard let namespaces else { return true }
        let wanted = namespace.lowercased()
        return user.lowercased() == wanted || namespaces.contains { $0.lowercased() == wanted }
    }
}
