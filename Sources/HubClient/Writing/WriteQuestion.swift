import HTTPTransport

extension Exchange.Question {
    /// A question that belongs to writing: longer time-outs, first in every queue.
    ///
    /// - Parameter json: Makes it a POST.
    static func writing(
        _ url: WebURL, json: String? = nil, contentType: String = "application/json"
    ) -> Exchange.Question {
        var question = Exchange.Question(
            url: url, kind: .api, counter: .api, priority: .demand, bodyByteCountMax: 32 << 20)
        question.isForWriting = true
        guard let json else { return question }
        question.method = .post
        question.headers = [("Content-Type", contentType)]
        question.body = Array(json.utf8)
        return question
    }
}

extension HubClient {
    /// Asks a question of writing's; errors go to `completion`, an answer to `then`.
    ///
    /// - Parameter adjust: Changes the question before it is asked.
    func askForWriting<Value>(
        _ url: WebURL?, json: String? = nil, contentType: String = "application/json",
        adjust: (inout Exchange.Question) -> Void = { _ in },
        completion: @escaping @Sendable (Result<Value, HubError>) -> Void,
        then: @escaping @Sendable (Exchange.Answer) -> Void
    ) {
        guard let url else {
            return runOnTransferThread { [self] in completion(.failure(noEndpoint)) }
        }
        var question = Exchange.Question.writing(url, json: json, contentType: contentType)
        adjust(&question)
        ask(question, completion: completion, then: then)
    }
}
