import HTTPTransport

/// What the Hub thinks of a README.md's metadata.
package struct YAMLVerdict: Hashable, Sendable {
    /// A commit with them is refused.
    package let errors: [String]
    package let warnings: [String]

    package init(errors: [String], warnings: [String]) {
        self.errors = errors
        self.warnings = warnings
    }
}

extension HubClient {
    /// Has the metadata of a README.md checked before anything is uploaded.
    ///
    /// Source: `POST /api/validate-yaml`, which says errors with status 400.
    ///
    /// - Parameter content: The whole README.md.
    package func validateYAML(
        _ content: String, of kind: RepoKind,
        completion: @escaping @Sendable (Result<YAMLVerdict, HubError>) -> Void
    ) {
        let body =
            "{\"content\":\(JSON.quoted(content)),\"repoType\":\(JSON.quoted(kind.rawValue))}"
        let adjust = { (question: inout Exchange.Question) in
            question.asksForRepo = false
            question.answerStatuses = [400]
        }
        askForWriting(
            routes?.validateYAML, json: body, adjust: adjust, completion: completion
        ) { answer in
            let json = JSON(answer.response.body)
            let verdict = YAMLVerdict(
                errors: messages(json?["errors"]), warnings: messages(json?["warnings"]))
            if answer.response.head.status == 400, verdict.errors.isEmpty {
                let error = HubError(answer.response, url: answer.url, asksForRepo: false)
                return completion(.failure(error))
            }
            guard json?["errors"]?.array != nil else {
                return completion(.failure(answer.malformed("no verdict on the metadata")))
            }
            completion(.success(verdict))
        }
    }
}

/// The messages of a list: texts, or objects that have one.
private func messages(_ list: JSON?) -> [String] {
    (list?.array ?? []).compactMap { $0["message"]?.string ?? $0.string }
}
