import Crypto
import Foundation
import HTTPTypes

private struct WhoamiBody: Encodable {
    struct Org: Encodable {
        let type = "org"
        let id: String
        let name: String
        let fullname: String
        let avatarUrl = ""
        let roleInOrg: String
    }

    struct Auth: Encodable {
        struct AccessToken: Encodable {
            let displayName: String
            let role: String
            let createdAt: String
        }

        let type = "access_token"
        let accessToken: AccessToken
    }

    let type = "user"
    let id: String
    let name: String
    let fullname: String
    let email: String
    let emailVerified = true
    let isPro = false
    let canPay = false
    let periodEnd: Int? = nil
    let avatarUrl = ""
    let billingMode = "prepaid"
    let orgs: [Org]
    let auth: Auth

    init(_ token: TokenRecord) {
        id = Self.id(of: token.user)
        name = token.user
        fullname = token.user
        email = token.user + "@users.noreply.localhub"
        orgs = (token.namespaces ?? []).filter { $0 != token.user }.map {
            Org(id: Self.id(of: $0), name: $0, fullname: $0, roleInOrg: token.role.rawValue)
        }
        auth = Auth(
            accessToken: .init(
                displayName: token.name, role: token.role.rawValue,
                createdAt: JSONText.date(token.created)))
    }

    /// 24 hex digits, the same at each call.
    private static func id(of name: String) -> String {
        String(hex(SHA256.hash(data: Data(name.utf8))).prefix(24))
    }
}

extension HubService {
    func whoami(_ request: HubRequest) async throws -> Answer {
        guard request.method == .get else { throw Refusal.unknownPath }
        let caller = try await blocking.run {
            try Caller(request.headers, registry: hub.registry)
        }
        guard case .token(let token) = caller else { throw Refusal.loginNeeded }
        return try .json(WhoamiBody(token))
    }
}
