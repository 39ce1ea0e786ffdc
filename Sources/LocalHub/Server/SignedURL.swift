import Crypto
import Foundation

/// Signs paths of the CDN listener for a time, and checks them.
struct URLSigner: Sendable {
    private let key: SymmetricKey

    /// What a signed URL lets its bearer do.
    enum Purpose: String {
        case download
        case upload
        /// To put an object together from its parts.
        case complete
    }

    enum Verdict: Equatable {
        case valid
        case expired
        case forged
    }

    init(key: String) {
        self.key = SymmetricKey(data: Data(key.utf8))
    }

    /// - Parameter expires: seconds since 1970.
    /// - Returns: the query to append to the path, without `?`.
    func sign(_ path: String, for purpose: Purpose, expires: Int) -> String {
        let code = code(path, purpose, expires)
        return "Expires=\(expires)&Signature=\(hex(code))"
    }

    func check(
        _ path: String, for purpose: Purpose, query: [(name: String, value: String)], now: Date
    ) -> Verdict {
        let values = Dictionary(
            query.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        guard let expires = values["Expires"].flatMap({ Int($0) }),
            let signature = values["Signature"],
            signature == hex(code(path, purpose, expires))
        else { return .forged }
        return Int(now.timeIntervalSince1970) < expires ? .valid : .expired
    }

    private func code(
        _ path: String, _ purpose: Purpose, _ expires: Int
    ) -> HashedAuthenticationCode<SHA256> {
        let text = "\(purpose.rawValue)\n\(path)\n\(expires)"
        return HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key)
    }
}
