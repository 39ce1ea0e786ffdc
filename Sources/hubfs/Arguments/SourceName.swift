import HubClient
import RepoFS

/// What stands for SRC or URI on the command line, understood.
struct SourceName {
    let uri: HubURI

    /// - Throws: `Failure` with code `usage`.
    init(_ text: String, endpoint: String) throws(Failure) {
        do throws(HubURI.Invalid) {
            uri = try HubURI(parsing: text, endpoint: endpoint)
        } catch {
            throw Failure(.usage, error.description)
        }
    }

    var revision: Revision { uri.revision ?? .main }

    var source: RepoMount.Source {
        RepoMount.Source(repo: uri.repo, revision: revision, path: uri.path)
    }
}
