import Foundation
import HTTPTypes

/// Making, deleting and listing repos.
extension HubService {
    private struct CreateBody: Decodable {
        struct File: Decodable {
            let path: String
            let content: String
            let encoding: String?
        }

        let name: String
        let organization: String?
        let type: RepoKind?
        let visibility: String?
        let `private`: Bool?
        let sdk: String?
        let files: [File]?
    }

    private struct CreatedBody: Encodable {
        let url: String
        let name: String
        let id: String
    }

    func createRepo(_ request: HubRequest) async throws -> Answer {
        guard request.method == .post else { throw Refusal.unknownPath }
        let body = try await request.json(CreateBody.self, max: 64 << 20)
        let kind = body.type ?? .model
        return try await blocking.run {
            let caller = try Caller(request.headers, registry: hub.registry)
            let namespace = body.organization ?? caller.author
            let token = try caller.requireWrite(in: namespace)
            guard let name = RepoName(namespace: namespace, name: body.name) else {
                throw Refusal.badRequest("Invalid repo name: \(namespace)/\(body.name)")
            }
            guard kind != .space || ["gradio", "docker", "static"].contains(body.sdk) else {
                throw Refusal.badRequest("A Space needs an sdk: gradio, docker or static")
            }
            if let known = try hub.registry.repo(kind, name) {
                throw Refusal.conflict(
                    "You already created this \(kind.rawValue) repo", url: webURL(known))
            }
            let isPrivate = body.private ?? (body.visibility.map { $0 != "public" } ?? false)
            let repo = try hub.createRepo(
                kind, name, options: RepoOptions(isPrivate: isPrivate, sdk: body.sdk),
                author: token.user, files: try (body.files ?? []).map(Self.file))
            let answer = CreatedBody(
                url: webURL(repo), name: repo.name.description, id: repo.id)
            return try .json(answer)
        }
    }

    private static func file(
        _ file: CreateBody.File
    ) throws -> (path: String, content: [UInt8]) {
        if let reason = FilePath.refusal(file.path) {
            throw Refusal.unprocessable("Invalid path \(file.path): \(reason)")
        }
        guard file.encoding == "base64" else { return (file.path, Array(file.content.utf8)) }
        guard let data = Data(base64Encoded: file.content) else {
            throw Refusal.unprocessable("Invalid base64 of \(file.path)")
        }
        return (file.path, Array(data))
    }

    func webURL(_ repo: RepoRecord) -> String {
        endpoint + "/" + repo.kind.webPrefix + repo.name.description
    }

    // MARK: Deleting

    private struct DeleteBody: Decodable {
        let name: String
        let organization: String?
        let type: RepoKind?
    }

    func deleteRepo(_ request: HubRequest) async throws -> Answer {
        guard request.method == .delete else { throw Refusal.unknownPath }
        let body = try await request.json(DeleteBody.self)
        return try await blocking.run {
            let caller = try Caller(request.headers, registry: hub.registry)
            guard
                let name = RepoName(
                    namespace: body.organization ?? caller.author, name: body.name),
                let repo = try hub.registry.repo(body.type ?? .model, name)
            else { throw Refusal.repoNotFound(isAnonymous: caller.isAnonymous) }
            try caller.requireWrite(to: repo)
            try hub.deleteRepo(repo)
            return .text(.ok, "OK")
        }
    }

    // MARK: Listing

    private static let listMax = 1000

    func listRepos(_ kind: RepoKind, _ request: HubRequest) async throws -> Answer {
        // Nobody has told how kernels are listed.
        guard request.method == .get, kind != .kernel else { throw Refusal.unknownPath }
        let limit = request.parameter("limit").map { Int($0) ?? 0 } ?? Self.listMax
        guard limit > 0 else { throw Refusal.badRequest("Invalid limit") }
        let expand = Set(
            request.parameters("expand").flatMap { $0.split(separator: ",") }.map(String.init))
        return try await blocking.run {
            let caller = try Caller(request.headers, registry: hub.registry)
            let found = try hub.registry.repos(
                kind, author: request.parameter("author"), search: request.parameter("search"))
            let visible = found.filter {
                !$0.isPrivate || caller.isMember(of: $0.name.namespace)
            }
            let sorted = try sort(visible, by: request.parameter("sort"))
            let rest = Self.drop(sorted, through: request.parameter("cursor"))
            let page = rest.prefix(min(limit, Self.listMax))
            var headers: HTTPFields = [:]
            if page.count < rest.count, let last = page.last {
                let url = request.url(endpoint, replacing: "cursor", with: last.id)
                headers[.link] = "<\(url)>; rel=\"next\""
            }
            let isDetailed = request.flag("full") || !expand.isEmpty
            let bodies = try page.map { repo in
                let values = try summary(repo, isDetailed: isDetailed)
                if expand.isEmpty { return values }
                // As for one repo: what is asked for, and the id.
                return values.filter { ["_id", "id"].contains($0.key) || expand.contains($0.key) }
            }
            return try .json(bodies, headers: headers)
        }
    }

    private func sort(_ repos: [RepoRecord], by order: String?) throws -> [RepoRecord] {
        switch order {
        case "createdAt", "created_at":
            return repos.sorted { $0.created > $1.created }
        case "lastModified", "last_modified":
            let dated = try repos.map { ($0, try head(of: $0)?.date ?? $0.created) }
            return dated.sorted { $0.1 > $1.1 }.map(\.0)
        default:
            // Nothing here has likes or downloads: every other order is that of the names.
            return repos
        }
    }

    private static func drop(_ repos: [RepoRecord], through id: String?) -> ArraySlice<RepoRecord> {
        guard let id else { return repos[...] }
        guard let index = repos.firstIndex(where: { $0.id == id }) else { return [] }
        return repos[(index + 1)...]
    }

    private func summary(_ repo: RepoRecord, isDetailed: Bool) throws -> [String: JSONValue] {
        var values = RepoTarget.summary(repo)
        if isDetailed, let head = try head(of: repo) {
            values["sha"] = .string(head.oid)
            values["lastModified"] = .string(JSONText.date(head.date))
        }
        return values
    }

    private func head(of repo: RepoRecord) throws -> CommitRecord? {
        try hub.repository(repo).commit(.ref("refs/heads/main"))
    }
}
