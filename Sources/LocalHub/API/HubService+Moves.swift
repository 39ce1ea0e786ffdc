import Foundation
import HTTPTypes

/// Renaming a repo, also into another namespace.
extension HubService {
    private struct MoveBody: Decodable {
        let fromRepo: String
        let toRepo: String
        let type: RepoKind?
    }

    private struct MovedBody: Encodable {
        let url: String
    }

    func moveRepo(_ request: HubRequest) async throws -> Answer {
        guard request.method == .post else { throw Refusal.unknownPath }
        let body = try await request.json(MoveBody.self)
        let kind = body.type ?? .model
        return try await blocking.run {
            let caller = try Caller(request.headers, registry: hub.registry)
            guard let from = RepoName(body.fromRepo), let repo = try hub.registry.repo(kind, from)
            else { throw Refusal.repoNotFound(isAnonymous: caller.isAnonymous) }
            try caller.requireWrite(to: repo)
            guard let name = RepoName(body.toRepo) else {
                throw Refusal.badRequest("Invalid repo name: \(body.toRepo)")
            }
            try caller.requireWrite(in: name.namespace)
            if let other = try hub.registry.repo(kind, name),
                other.id != repo.id || other.name == name
            {
                throw Refusal.conflict("\(name) exists already", url: webURL(other))
            }
            do {
                try hub.moveRepo(repo, to: name)
            } catch HubError.repoBusy {
                throw Refusal.repositoryIsBusy
            }
            return try .json(MovedBody(url: endpoint + "/" + kind.webPrefix + name.description))
        }
    }
}
