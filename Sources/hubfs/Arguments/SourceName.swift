import HubClient
import RepoFS

/// What stands for SRC or URI on the command line, understood.
struct SourceName {
    /// nil for the whole Hub.
    private let name: HubURI?

    init(_ uri: HubURI) { name = uri }

    /// - Parameter allowsWholeHub: Whether `hf://` alone is a source.
    /// - Throws: `Failure` with code `usage`.
    init(_ text: String, endpoint: String, allowsWholeHub: Bool = false) throws(Failure) {
        if allowsWholeHub, Self.isWholeHub(text) {
            name = nil
            return
        }
        do throws(HubURI.Invalid) {
            name = try HubURI(parsing: text, endpoint: endpoint)
        } catch {
            throw Failure(.usage, error.description)
        }
    }

    static func isWholeHub(_ text: String) -> Bool { text == "hf://" || text == "hf:///" }

    /// Whether it names no repo, but all of them. Nothing else may be asked of it then.
    var isWholeHub: Bool { name == nil }

    var uri: HubURI {
        guard let name else { preconditionFailure("the whole Hub is no repo") }
        return name
    }

    /// What is looked at: a revision, or which part of a bucket.
    var revision: Revision {
        if uri.repo.kind == .bucket { return BucketPart(path: uri.path).revision }
        return uri.revision ?? .main
    }

    /// The same for who looks for the path itself: in a bucket, the folder that it is in.
    var revisionAround: Revision {
        guard uri.repo.kind == .bucket else { return revision }
        let folder = uri.path.lastIndex(of: "/").map { String(uri.path[..<$0]) }
        return BucketPart(path: folder ?? "").revision
    }

    var source: RepoMount.Source {
        RepoMount.Source(repo: uri.repo, revision: revision, path: uri.path)
    }
}
