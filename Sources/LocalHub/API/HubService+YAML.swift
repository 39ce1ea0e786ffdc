import HTTPTypes

/// validate-yaml: what the Hub would say of a README's metadata.
extension HubService {
    private struct YAMLBody: Decodable {
        let content: String
    }

    private struct YAMLVerdict: Encodable {
        struct Message: Encodable {
            let message: String
        }

        let errors: [Message]
        let warnings: [Message]
    }

    func validateYAML(_ request: HubRequest) async throws -> Answer {
        guard request.method == .post else { throw Refusal.unknownPath }
        let metadata = CardMetadata(try await request.json(YAMLBody.self).content)
        let verdict = YAMLVerdict(
            errors: metadata.errors.map(YAMLVerdict.Message.init),
            warnings: metadata.warnings.map(YAMLVerdict.Message.init))
        return try .json(verdict, verdict.errors.isEmpty ? .ok : .badRequest)
    }
}
