import Foundation
import HTTPTypes

/// Renaming a repo, also into another namespace.
extension HubService {
    private struct MoveBody: Decodable {
        let fromRepo: String
        let toRepo: String
        let type: String?
    }

    private struct MovedBody: Encodable {
        let url: String
    }

    func moveRepo(_ request: HubRequest) async throws -> Answer {
        guard request.method == .post else { throw Refusal.unknownPath }
        let body = try await request.json(MoveBody.self)
        if body.type == "bucket" {
            return try await moveBucket(from: body.fromRepo, to: body.toRepo, request)
        }
        guard let kind = RepoKind(rawValue: body.type ?? RepoKind.model.rawValue) else {
            throw Refusal.unprocessable("Unknown type of repo")
        }
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
