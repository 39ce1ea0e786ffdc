import HTTPTransport

extension HubClient {
    /// The paths that differ between two commits.
    ///
    /// Source: `GET /api/{kind}/{id}/compare/{base}..{head}?raw=true`.
    package func compare(
        _ repo: RepoID, from base: CommitOID, to head: CommitOID,
        completion: @escaping @Sendable (Result<[PathChange], HubError>) -> Void
    ) {
        let url = routes?.comparison(repo, from: Revision(base.hex), to: Revision(head.hex))
        askForWriting(url, completion: completion) { answer in
            do throws(RawDiff.Invalid) {
                completion(.success(try RawDiff.changes(answer.response.body)))
            } catch {
                completion(.failure(answer.malformed(error.reason)))
            }
        }
    }
}
