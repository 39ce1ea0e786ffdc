import HTTPTransport
import Platform
import XetCodec

/// Asks the content-addressed store how files are put together.
///
/// A token that the store refuses is renewed once; a store that does not know the second version of the
/// question is asked by the first.
final class Reconstructions: Sendable {
    typealias Completion = @Sendable (Result<Reconstruction, HubError>) -> Void

    /// Before a question is asked again. Few and short: there is the plain way as well.
    static let retryWaits = [0.2, 1.0]
    /// Longest answer that is taken: some twenty thousand terms.
    private static let answerByteCountMax = 4 << 20

    private let tokens = XetTokens()
    /// Bases of stores that know the first version alone.
    private let first = Guarded<Set<String>>([])

    private struct Query: Sendable {
        let location: ContentLocation
        let file: XetHash
        /// nil for the whole file.
        let range: Range<UInt64>?
        var isSecondToken = false
        var isFirstVersion = false
    }

    /// Asks for a file, or for a range of one.
    ///
    /// - Parameters:
    ///   - location: Whose repo and commit the token is for.
    ///   - file: The file's name in the store.
    ///   - completion: Called on a transfer thread, or here and now when there is no token.
    func find(
        _ file: XetHash, _ range: Range<UInt64>?, of location: ContentLocation, client: HubClient,
        completion: @escaping Completion
    ) {
        ask(Query(location: location, file: file, range: range), client, completion)
    }

    private func ask(
        _ query: Query, _ client: HubClient, _ completion: @escaping Completion
    ) {
        let location = query.location
        tokens.find(location.repo, location.commit, client: client) { [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let access): ask(query, access, client, completion)
            }
        }
    }

    private func ask(
        _ query: Query, _ access: XetAccess, _ client: HubClient,
        _ completion: @escaping Completion
    ) {
        var query = query
        if first.withLock({ $0.contains(access.base) }) { query.isFirstVersion = true }
        let version = query.isFirstVersion ? "v1" : "v2"
        guard let url = WebURL("\(access.base)/\(version)/reconstructions/\(query.file.text)")
        else {
            return completion(.failure(.malformed(url: access.base, reason: "no URL")))
        }
        var question = Exchange.Question(url: url, kind: .api, counter: .cas, priority: .prefetch)
        question.headers = [access.header]
        if let range = query.range {
            question.headers.append(
                ("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)"))
        }
        question.sendsToken = false
        question.isInQuota = false
        // Nor may the store's token follow a redirect.
        question.followsRedirects = false
        question.asksForRepo = false
        question.bodyByteCountMax = Self.answerByteCountMax
        question.retryWaits = Self.retryWaits
        let asked = query
        Exchange(client, question) { [self] result in
            switch result {
            case .success(let answer): completion(read(answer, asked, access))
            case .failure(let error):
                failed(asked, error, access, client, completion)
            }
        }.start()
    }

    private func failed(
        _ query: Query, _ error: HubError, _ access: XetAccess, _ client: HubClient,
        _ completion: @escaping Completion
    ) {
        var query = query
        switch error.status {
        case 401 where !query.isSecondToken:
            tokens.forget(access, of: query.location.repo, query.location.commit)
            query.isSecondToken = true
            ask(query, client, completion)
        case 404 where !query.isFirstVersion, 501 where !query.isFirstVersion:
            query.isFirstVersion = true
            ask(query, access, client, completion)
        default: completion(.failure(error))
        }
    }

    private func read(
        _ answer: Exchange.Answer, _ query: Query, _ access: XetAccess
    ) -> Result<Reconstruction, HubError> {
        guard (200..<300).contains(answer.response.head.status) else {
            return .failure(answer.malformed("a redirect answers a reconstruction"))
        }
        guard let body = JSON(answer.response.body) else {
            return .failure(answer.malformed("a reconstruction that is not JSON"))
        }
        // The file is there, so it was the version that the store did not know.
        if query.isFirstVersion { first.withLock { _ = $0.insert(access.base) } }
        do {
            return .success(try Reconstruction(body))
        } catch {
            return .failure(answer.malformed(error.reason))
        }
    }
}
