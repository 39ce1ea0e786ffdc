import HTTPTransport

extension HubClient {
    /// Paths in one question to `paths-info`; more are asked in several.
    package static let pathsInfoCountMax = 500

    /// What some paths hold at a revision.
    ///
    /// Source: `POST /api/{kind}/{id}/paths-info/{rev}`.
    ///
    /// - Parameter completion: Entries in the Hub's order; paths that hold nothing are left out.
    package func pathsInfo(
        _ repo: RepoID, _ revision: Revision, paths: [String],
        completion: @escaping @Sendable (Result<[TreeEntry], HubError>) -> Void
    ) {
        guard !paths.isEmpty else {
            return runOnTransferThread { completion(.success([])) }
        }
        pathsInfo(
            routes?.pathsInfo(repo, revision), paths: paths[...], found: [],
            completion: completion)
    }

    /// One batch after the other.
    private func pathsInfo(
        _ url: WebURL?, paths: ArraySlice<String>, found: [TreeEntry],
        completion: @escaping @Sendable (Result<[TreeEntry], HubError>) -> Void
    ) {
        let batch = paths.prefix(Self.pathsInfoCountMax)
        let names = batch.map(JSON.quoted).joined(separator: ",")
        let body = "{\"paths\":[\(names)],\"expand\":false}"
        askForWriting(url, json: body, completion: completion) { [self] answer in
            let entries: [TreeEntry]
            do throws(TreePage.Invalid) {
                entries = try TreePage.entries(answer.response.body, under: "", recursive: true)
            } catch {
                return completion(.failure(answer.malformed(error.reason)))
            }
            let rest = paths.dropFirst(Self.pathsInfoCountMax)
            guard !rest.isEmpty else { return completion(.success(found + entries)) }
            pathsInfo(url, paths: rest, found: found + entries, completion: completion)
        }
    }
}
